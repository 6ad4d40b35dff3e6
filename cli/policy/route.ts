import type { Condition, PolicyDocument } from '../../lib/policy/index.ts';
import { predicatesOf } from '../../lib/policy/review/index.ts';

/** A path without what differs from request to request: `/orders/7` as `/orders/{id}`. */
export type Routes = (path: string) => string;

/**
 * Routes as the policies name them: of their templates that a path matches, the one that leaves least open. Other paths lose their
 * segments that look like the name of one thing.
 */
export function routesOf(documents: readonly PolicyDocument[]): Routes {
  const templates = new Set(documents.flatMap(({ when }) => templatesOf(when)));
  const patterns = [...templates]
    .map((text) => ({ text, open: text.split('{').length, matches: patternOf(text) }))
    .sort((a, b) => a.open - b.open || (a.text < b.text ? -1 : 1));
  return (path) => patterns.find(({ matches }) => matches.test(path))?.text ?? generalised(path);
}

function templatesOf(condition: Condition): string[] {
  return predicatesOf(condition).flatMap(({ attribute, operator, wanted }) =>
    attribute === 'path' && operator === 'like' && typeof wanted === 'string' ? [wanted] : [],
  );
}

function patternOf(template: string): RegExp {
  const segments = template.split('/').map((segment) => {
    if (segment.startsWith('{')) return '[^/]+';
    return segment === '**' ? '.+' : segment.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  });
  return new RegExp(`^${segments.join('/')}$`);
}

/** Numbers, UUIDs, and long words with digits in them. */
const NAME_OF_ONE = /^(?:\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|(?=.*\d)[A-Za-z0-9_-]{16,})$/;

function generalised(path: string): string {
  return path
    .split('/')
    .map((segment) => (NAME_OF_ONE.test(segment) ? '{id}' : segment))
    .join('/');
}
