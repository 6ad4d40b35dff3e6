import { isIdSegment, parseTrustDomain, SpiffeError, SpiffeId } from '../spiffe/index.ts';
import { parseSelectorKey, type Selectors } from './selectors.ts';

/** One path segment of a template: its fixed text, or the selector whose value stands there. */
type TemplateSegment = { readonly text: string } | { readonly selector: string };

/** An entry's SPIFFE ID in which a whole segment may be `{selector}`. */
export type IdTemplate = { readonly trustDomain: string; readonly segments: readonly TemplateSegment[] };

/**
 * Parses `spiffe://example.org/ns/{k8s:ns}/sa/orders`. A brace takes a whole segment, so that no evidence can be
 * joined to fixed text into something that neither says alone.
 * @throws SpiffeError `SPIFFE_BAD_PATTERN`, `SPIFFE_BAD_TRUST_DOMAIN`
 */
export function parseIdTemplate(text: string): IdTemplate {
  const prefix = 'spiffe://';
  const slash = text.indexOf('/', prefix.length);
  if (text.length > 2048 || !text.startsWith(prefix) || slash === -1)
    throw bad(text, 'it starts with spiffe://<trust domain>/');
  const trustDomain = parseTrustDomain(text.slice(prefix.length, slash));
  // A selector's key may hold a slash (an annotation's name), so braces are cut out before the path is split.
  const parts = text.slice(slash + 1).match(/\{[^{}]*\}|[^/{}]+|\/|[{}]/g) ?? [];
  const segments: TemplateSegment[] = [];
  let expectSegment = true;
  for (const part of parts) {
    if (expectSegment === (part === '/'))
      throw bad(text, 'a brace takes a whole path segment, and no segment is empty');
    if (expectSegment) segments.push(parseSegment(part, text));
    expectSegment = !expectSegment;
  }
  if (expectSegment) throw bad(text, 'no path segment is empty');
  return { trustDomain, segments };
}

/**
 * The ID that these selectors give.
 * @throws SpiffeError `SPIFFE_BAD_PATTERN` when a selector is missing or has several values, `SPIFFE_BAD_PATH` when its value
 * holds anything but `[a-z0-9._-]` (a star, a slash or upper case from evidence ends here)
 */
export function renderId(template: IdTemplate, found: Selectors): SpiffeId {
  const segments = template.segments.map((segment) => {
    if ('text' in segment) return segment.text;
    const values = found.get(segment.selector) ?? [];
    if (values.length !== 1) {
      throw new SpiffeError(
        'SPIFFE_BAD_PATTERN',
        `{${segment.selector}} has ${values.length} values, one is needed`,
      );
    }
    const value = values[0]!;
    if (!isIdSegment(value)) {
      throw new SpiffeError(
        'SPIFFE_BAD_PATH',
        `the value of {${segment.selector}} cannot stand in a SPIFFE ID`,
      );
    }
    return value;
  });
  return SpiffeId.of(template.trustDomain, segments);
}

/**
 * What `allowed_entity_aliases` must hold for this template: the exact alias where `fixed` pins every brace, else a glob with
 * a star for each open one. The alias is the ID's path without its first slash.
 */
export function aliasPattern(template: IdTemplate, fixed: Readonly<Record<string, string>>): string {
  return template.segments
    .map((segment) => {
      if ('text' in segment) return segment.text;
      const value = Object.hasOwn(fixed, segment.selector) ? fixed[segment.selector] : undefined;
      if (value === undefined) return '*';
      if (!isIdSegment(value)) {
        throw new SpiffeError(
          'SPIFFE_BAD_PATH',
          `the value of {${segment.selector}} cannot stand in a SPIFFE ID`,
        );
      }
      return value;
    })
    .join('/');
}

function parseSegment(part: string, whole: string): TemplateSegment {
  if (!part.startsWith('{')) {
    if (!isIdSegment(part))
      throw bad(whole, `the segment ${JSON.stringify(part.slice(0, 40))} is not of [a-z0-9._-]`);
    return { text: part };
  }
  const selector = parseSelectorKey(part.slice(1, -1));
  if (selector === undefined || !part.endsWith('}'))
    throw bad(whole, `${JSON.stringify(part.slice(0, 40))} names no selector`);
  return { selector };
}

function bad(text: string, why: string): SpiffeError {
  return new SpiffeError(
    'SPIFFE_BAD_PATTERN',
    `not an ID template: ${JSON.stringify(text.slice(0, 80))}: ${why}`,
  );
}
