import { type Diagnostic, type Path, problem } from './diagnostics.ts';
import type { Attribute, Body, Nesting } from './schema.ts';
import { isKnown, isValues, type Value, type Values } from './values.ts';

export interface CheckOptions {
  /** Whether whoever asks can keep write-only values out of plan and state. */
  readonly writeOnlyAllowed: boolean;
}

/** What the attributes' own checks say of a configuration. */
export function checkConfig(body: Body, config: Values, options: CheckOptions): Diagnostic[] {
  const found: Diagnostic[] = [];
  checkBody(body, config, [], options, found);
  return found;
}

function checkBody(body: Body, config: Values, path: Path, options: CheckOptions, found: Diagnostic[]): void {
  for (const [name, attribute] of Object.entries(body.attributes))
    checkAttribute(attribute, config[name] ?? null, [...path, name], options, found);
  for (const [name, block] of Object.entries(body.blocks ?? {}))
    for (const [element, at] of elementsOf(block.nesting, config[name] ?? null, [...path, name]))
      checkBody(block, element, at, options, found);
}

function checkAttribute(
  attribute: Attribute,
  value: Value,
  path: Path,
  options: CheckOptions,
  found: Diagnostic[],
): void {
  if (value === null) return;
  if (attribute.writeOnly && !options.writeOnlyAllowed)
    found.push(
      problem(
        'Write-only values need a newer version',
        'Terraform knows them since 1.11, OpenTofu since 1.11.',
        path,
      ),
    );
  const wrong = isKnown(value) ? attribute.validate?.(value) : undefined;
  if (wrong !== undefined) found.push(problem('Invalid value', wrong, path));
  const { nested } = attribute;
  if (nested)
    for (const [element, at] of elementsOf(nested.nesting, value, path))
      checkBody(nested, element, at, options, found);
}

function elementsOf(nesting: Nesting, value: Value, path: Path): (readonly [Values, Path])[] {
  const placed: (readonly [Value, Path])[] =
    nesting === 'single'
      ? [[value, path]]
      : nesting === 'map'
        ? Object.entries(isValues(value) ? value : {}).map(([key, each]) => [each, [...path, { key }]])
        : (Array.isArray(value) ? value : []).map((each, i) => [
            each,
            nesting === 'list' ? [...path, i] : path,
          ]);
  return placed.filter((each): each is readonly [Values, Path] => isValues(each[0]));
}
