import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { type Defect, InputError } from '../lib/errors.ts';

/** Throws InputError unless `value` fits the schema of that name. */
export type Validate = (schema: string, value: unknown) => void;

const OPENAPI_WORDS = ['openapi', 'info', 'paths', 'components', 'security', 'discriminator'];
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/**
 * A validator by the schemas of an OpenAPI document. It stops at the first defect: a body made of nothing but defects must not cost
 * more than one.
 */
export function createValidate(document: object): Validate {
  const ajv = new Ajv2020({ strict: false, formats: { 'date-time': INSTANT } });
  ajv.addVocabulary(OPENAPI_WORDS);
  ajv.addSchema(document, 'openapi');
  return (schema, value) => {
    const check = ajv.getSchema(`openapi#/components/schemas/${schema}`);
    if (check === undefined) throw new Error(`no schema ${schema}`);
    if (check(value) !== true) throw new InputError('body', (check.errors ?? []).map(defectOf));
  };
}

function defectOf({ instancePath, message, keyword, params }: ErrorObject): Defect {
  // Its message quotes what was sent only here, and only the name of a field that is none.
  const more = keyword === 'enum' ? `: ${String(params['allowedValues'])}` : '';
  const name =
    keyword === 'additionalProperties' ? `/${String(params['additionalProperty']).slice(0, 80)}` : '';
  return { pointer: `${instancePath}${name}`, message: `${message ?? 'does not fit'}${more}` };
}
