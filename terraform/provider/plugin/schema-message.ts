import type { Attribute, Block, Body, Nesting, Schema } from './schema.ts';
import { ctyOf, typeOfAttribute } from './types.ts';

const MARKDOWN = 1;
const NESTING: Readonly<Record<Nesting, number>> = { single: 1, list: 2, set: 3, map: 4 };

/** A schema as the protocol's message `Schema`. */
export function schemaMessage(schema: Schema): object {
  return { version: schema.version ?? 0, block: blockMessage(schema) };
}

function blockMessage(body: Body & { readonly description: string; readonly deprecated?: string }): object {
  return {
    attributes: attributeMessages(body.attributes),
    block_types: Object.entries(body.blocks ?? {}).map(([name, block]) => nestedBlock(name, block)),
    description: body.description,
    description_kind: MARKDOWN,
    deprecated: body.deprecated !== undefined,
    deprecation_message: body.deprecated ?? '',
  };
}

function nestedBlock(name: string, block: Block): object {
  return {
    type_name: name,
    block: blockMessage(block),
    nesting: NESTING[block.nesting],
    min_items: block.min ?? 0,
    max_items: block.max ?? 0,
  };
}

function attributeMessages(attributes: { readonly [name: string]: Attribute }): object[] {
  return Object.entries(attributes).map(([name, attribute]) => ({
    name,
    ...(attribute.nested
      ? {
          nested_type: {
            attributes: attributeMessages(attribute.nested.attributes),
            nesting: NESTING[attribute.nested.nesting],
          },
        }
      : { type: Buffer.from(JSON.stringify(ctyOf(typeOfAttribute(attribute)))) }),
    description: attribute.description,
    description_kind: MARKDOWN,
    required: attribute.required === true,
    // A default is set where the configuration sets nothing: both may.
    optional: attribute.optional === true || attribute.default !== undefined,
    computed: attribute.computed === true || attribute.default !== undefined,
    sensitive: attribute.sensitive === true,
    write_only: attribute.writeOnly === true,
    deprecated: attribute.deprecated !== undefined,
    deprecation_message: attribute.deprecated ?? '',
  }));
}
