import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { InputError } from '../../../lib/errors.ts';
import { parseRiskRules } from '../../../lib/risk/index.ts';

const schema = JSON.parse(await readFile(new URL('../../../lib/risk/schema.json', import.meta.url), 'utf8'));
const fits = new Ajv2020({ allowUnionTypes: true }).compile(schema);

const WHOLE = {
  $schema: 'schema.json',
  learn: '2h',
  half_life: '30m',
  inputs: {
    rate: { weight: 30, above: 5, least: 60 },
    hour: { weight: 20, below: 0.1, days: 7 },
    size: { weight: 20, above: 8 },
    errors: { weight: 25, above: 0.5, least: 10 },
    new_edge: { weight: 40 },
    token_age: { weight: 15, above: '1h' },
    acr: { weight: 20, in: ['urn:example:mfa'] },
    network: { weight: 30, in: ['10.0.0.0/8', '2001:db8::/32'] },
    recent: { weight: 50 },
    reported: { weight: 100 },
  },
  anomaly: { from: 60, every: '5m' },
};

function defectsOf(document: unknown): string[] {
  try {
    parseRiskRules(typeof document === 'string' ? document : JSON.stringify(document));
    return [];
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.defects.map(({ pointer, message }) => `${pointer} ${message}`);
  }
}

describe('rules of risk', () => {
  it('are read as they are written', () => {
    const { learnMinutes, halfLifeMs, inputs, anomaly } = parseRiskRules(JSON.stringify(WHOLE));
    assert.deepEqual([learnMinutes, halfLifeMs, anomaly], [120, 1_800_000, { from: 60, everyMs: 300_000 }]);
    assert.deepEqual(inputs.rate, { weight: 30, above: 5, least: 60 });
    assert.equal(inputs.token_age?.above, 3_600);
    assert.ok(inputs.acr?.in.has('urn:example:mfa'));
    const networks = inputs.network!.in;
    assert.deepEqual(
      ['10.1.2.3', '11.0.0.1', '2001:db8::1', '::1'].map((each) => networks.has(each)),
      [true, false, true, false],
    );
  });

  it('have defaults for what may be left out', () => {
    const { learnMinutes, halfLifeMs, inputs, anomaly } = parseRiskRules('{"inputs":{}}');
    assert.deepEqual([learnMinutes, halfLifeMs, inputs, anomaly], [60, 900_000, {}, null]);
  });

  it('name all that is wrong, each by its JSON pointer', () => {
    const document = {
      lern: '1h',
      half_life: '0s',
      inputs: {
        rate: { weight: 0, above: 'x', least: 60, most: 1 },
        'new/edge': {},
        acr: { weight: 1, in: [] },
        network: { weight: 1, in: ['10.0.0.0/8', '10.0.0.0/33', 'example.org/8', '::1/128/1'] },
      },
      anomaly: { every: 5 },
    };
    assert.deepEqual(defectsOf(document).sort(), [
      '/anomaly/every is not a text',
      '/anomaly/from is missing',
      '/half_life is not a time such as 30s, 15m, 12h or 7d',
      '/inputs/acr/in is not an array of 1 to 256 texts',
      '/inputs/network/in/1 is not a network such as 10.0.0.0/8',
      '/inputs/network/in/2 is not a network such as 10.0.0.0/8',
      '/inputs/network/in/3 is not a network such as 10.0.0.0/8',
      '/inputs/new~1edge is unknown: there are rate, hour, size, errors, new_edge, token_age, acr, network, recent, reported',
      '/inputs/rate/above is not a number from 1 to 1000000',
      '/inputs/rate/most is unknown: there are weight, above, least',
      '/inputs/rate/weight is not a number from 1 to 100',
      '/lern is unknown: there are inputs, $schema, learn, half_life, anomaly',
    ]);
    assert.deepEqual(defectsOf('{'), [' is not JSON']);
    assert.deepEqual(defectsOf([]), [' is not an object']);
  });

  it('are those that the published schema takes, networks aside', () => {
    assert.ok(fits(WHOLE), JSON.stringify(fits.errors));
    const odd = fc.oneof(
      fc.constantFrom('1h', '0s', 'x', 0, 1, 0.5, 100, 101, null, [], ['a'], {}, { weight: 5 }, true),
      fc.jsonValue({ maxDepth: 1 }),
    );
    const paths = (value: object, at: string[] = []): string[][] =>
      Object.entries(value).flatMap(([name, each]) => [
        [...at, name],
        ...(typeof each === 'object' && !Array.isArray(each) ? paths(each, [...at, name]) : []),
      ]);
    fc.assert(
      fc.property(fc.constantFrom(...paths(WHOLE)), fc.option(odd, { nil: undefined }), (path, value) => {
        const document = structuredClone(WHOLE) as Record<string, unknown>;
        const parent = path.slice(0, -1).reduce((at, name) => at[name] as Record<string, unknown>, document);
        parent[path.at(-1)!] = value;
        const text = JSON.stringify(document);
        const defects = defectsOf(text).filter((each) => !each.includes('not a network'));
        assert.equal(defects.length === 0, fits(JSON.parse(text)), `${text}: ${defects}`);
      }),
      { seed: 5, numRuns: 3_000 },
    );
  });

  it('are refused in an orderly way whatever the text is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => void defectsOf(text)),
      { seed: 5, numRuns: 2_000 },
    );
  });
});
