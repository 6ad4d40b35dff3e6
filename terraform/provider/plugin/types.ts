import type { Attribute, Body, Nesting, Type } from './schema.ts';

export type ObjectType = { readonly object: { readonly [name: string]: Type } };

/** What a value by this schema is made of. */
export function typeOfBody(body: Body): ObjectType {
  return {
    object: Object.fromEntries([
      ...Object.entries(body.attributes).map(([name, each]) => [name, typeOfAttribute(each)]),
      ...Object.entries(body.blocks ?? {}).map(([name, each]) => [
        name,
        within(each.nesting, typeOfBody(each)),
      ]),
    ]),
  };
}

/** @throws Error for an attribute that has neither type nor attributes of its own */
export function typeOfAttribute({ type, nested }: Attribute): Type {
  if (type !== undefined) return type;
  if (nested === undefined) throw new Error('an attribute without a type');
  return within(nested.nesting, typeOfBody(nested));
}

function within(nesting: Nesting, type: Type): Type {
  switch (nesting) {
    case 'single':
      return type;
    case 'list':
      return { list: type };
    case 'set':
      return { set: type };
    case 'map':
      return { map: type };
  }
}

/** The type as the protocol spells it: cty's JSON. */
export function ctyOf(type: Type): unknown {
  if (typeof type === 'string') return type;
  if ('list' in type) return ['list', ctyOf(type.list)];
  if ('set' in type) return ['set', ctyOf(type.set)];
  if ('map' in type) return ['map', ctyOf(type.map)];
  if ('tuple' in type) return ['tuple', type.tuple.map(ctyOf)];
  const entries = Object.entries(type.object);
  return ['object', Object.fromEntries(entries.map(([name, each]) => [name, ctyOf(each)]))];
}

/** The same read. Undefined when it is no type, or one that is deeper than `depth`. */
export function typeOfCty(cty: unknown, depth = 100): Type | undefined {
  if (cty === 'string' || cty === 'bool' || cty === 'number' || cty === 'dynamic') return cty;
  if (!Array.isArray(cty) || cty.length !== 2 || depth === 0) return undefined;
  const [kind, of] = cty as [unknown, unknown];
  if (kind === 'tuple') {
    const each = Array.isArray(of) ? of.map((one) => typeOfCty(one, depth - 1)) : [undefined];
    return each.every((one) => one !== undefined) ? { tuple: each } : undefined;
  }
  if (kind === 'object') {
    if (typeof of !== 'object' || of === null || Array.isArray(of)) return undefined;
    const each = Object.entries(of).map(([name, one]) => [name, typeOfCty(one, depth - 1)] as const);
    if (each.some(([, one]) => one === undefined)) return undefined;
    return { object: Object.fromEntries(each) as { [name: string]: Type } };
  }
  const element = typeOfCty(of, depth - 1);
  if (element === undefined) return undefined;
  return kind === 'list'
    ? { list: element }
    : kind === 'set'
      ? { set: element }
      : kind === 'map'
        ? { map: element }
        : undefined;
}
