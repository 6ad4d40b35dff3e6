import { isSame } from './canonical.ts';
import type { Path } from './diagnostics.ts';
import type { Attribute, Block, Body, Nesting, Schema } from './schema.ts';
import { TIMEOUTS } from './timeouts.ts';
import { typeOfAttribute, typeOfBody } from './types.ts';
import { isValues, UNKNOWN, type Value, type Values } from './values.ts';

export interface PlannedChange {
  readonly planned: Values;
  /** Where something changed that needs another resource. */
  readonly requiresReplace: readonly Path[];
}

/**
 * What the schema alone says will come of a configuration. Write-only values are not in it. What is computed and set nowhere is unknown when
 * the resource is new; else it stays, unless something changes and it may change with it.
 */
export function planChange(schema: Schema, prior: Values | null, config: Values): PlannedChange {
  const kept = plan(schema, prior, config, false);
  if (prior === null || isSameButTimeouts(schema, kept.planned, prior)) return kept;
  return plan(schema, prior, config, true);
}

/** Timeouts are nothing of the thing itself. */
export function isSameButTimeouts(schema: Schema, a: Values, b: Values): boolean {
  return isSame({ ...a, [TIMEOUTS]: null }, { ...b, [TIMEOUTS]: null }, typeOfBody(schema));
}

interface Pass {
  readonly changes: boolean;
  /** The whole resource is new: nothing is replaced. */
  readonly isNew: boolean;
  readonly replaced: Path[];
}

function plan(schema: Schema, prior: Values | null, config: Values, changes: boolean): PlannedChange {
  const pass: Pass = { changes, isNew: prior === null, replaced: [] };
  const planned = planBody(schema, prior, config, [], pass);
  return { planned, requiresReplace: pass.replaced };
}

function planBody(
  body: Body,
  prior: Values | null,
  config: Values,
  path: Path | undefined,
  pass: Pass,
): Values {
  const before = (name: string): Value => prior?.[name] ?? null;
  const planned: Record<string, Value> = {};
  for (const [name, attribute] of Object.entries(body.attributes))
    planned[name] = planAttribute(
      attribute,
      before(name),
      config[name] ?? null,
      path && [...path, name],
      pass,
      prior === null,
    );
  for (const [name, block] of Object.entries(body.blocks ?? {}))
    planned[name] = planNested(block, before(name), config[name] ?? null, path && [...path, name], pass);
  return planned;
}

function planAttribute(
  attribute: Attribute,
  prior: Value,
  config: Value,
  path: Path | undefined,
  pass: Pass,
  isNew: boolean,
): Value {
  if (attribute.writeOnly) return null;
  const isLeft = config === null && attribute.default === undefined && attribute.computed === true;
  if (isLeft) return isNew || (pass.changes && !attribute.useStateForUnknown) ? UNKNOWN : prior;
  const given = config ?? attribute.default ?? null;
  const planned = attribute.nested ? planNested({ ...attribute.nested }, prior, given, path, pass) : given;
  if (attribute.requiresReplace && !pass.isNew && !isSame(planned, prior, typeOfAttribute(attribute)))
    pass.replaced.push(path ?? []);
  return planned;
}

function planNested(
  nested: { readonly nesting: Nesting } & (Body | Block),
  prior: Value,
  config: Value,
  path: Path | undefined,
  pass: Pass,
): Value {
  if (config === null || config === UNKNOWN) return config;
  const each = (before: Value | undefined, given: Value, at: Path | undefined): Value =>
    isValues(given) ? planBody(nested, isValues(before) ? before : null, given, at, pass) : given;
  switch (nested.nesting) {
    case 'single':
      return each(prior, config, path);
    case 'list': {
      const before: readonly Value[] = Array.isArray(prior) ? prior : [];
      return (config as readonly Value[]).map((given, i) => each(before[i], given, path && [...path, i]));
    }
    case 'map': {
      const before = isValues(prior) ? prior : {};
      return Object.fromEntries(
        Object.entries(config as Values).map(([key, given]) => [
          key,
          each(Object.hasOwn(before, key) ? before[key] : null, given, path && [...path, { key }]),
        ]),
      );
    }
    case 'set':
      return planSet(nested, prior, config as readonly Value[], each, path);
  }
}

/** An element of a set is the one of before that has all that its configuration sets. It cannot be named: a path ends at the set. */
function planSet(
  nested: Body,
  prior: Value,
  config: readonly Value[],
  each: (before: Value | undefined, given: Value, at: Path | undefined) => Value,
  path: Path | undefined,
): Value {
  const left: Value[] = Array.isArray(prior) ? [...prior] : [];
  const type = typeOfBody(nested);
  return config.map((given) => {
    const at = left.findIndex((before) => isValues(before) && isValues(given) && isBy(before, given, type));
    const [before] = at < 0 ? [] : left.splice(at, 1);
    return each(before, given, path);
  });
}

function isBy(before: Values, given: Values, { object }: ReturnType<typeof typeOfBody>): boolean {
  return Object.entries(object).every(
    ([name, type]) => given[name] === null || isSame(given[name] ?? null, before[name] ?? null, type),
  );
}
