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
  const entries = Object.entries(type.object);
  return ['object', Object.fromEntries(entries.map(([name, each]) => [name, ctyOf(each)]))];
}
