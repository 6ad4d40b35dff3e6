import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { InputError } from '../../../lib/errors.ts';
import { ANSWERS } from '../../../sidecar/users/answers.ts';
import { parseUsers } from '../../../sidecar/users/document.ts';
import { loadUsers } from '../../../sidecar/users/load.ts';
import schema from '../../../sidecar/users/schema.json' with { type: 'json' };

type Json = Record<string, unknown>;
/** Changes to the base document, by JSON pointer. */
type Case = {
  readonly what: string;
  readonly set?: Json;
  readonly drop?: readonly string[];
  readonly defects: readonly string[];
  /** Refused by the parser, for a reason that the schema cannot tell. */
  readonly beyondSchema?: true;
};

const vectors = new URL('../../vectors/users/documents.jsonl', import.meta.url);
const cases: Case[] = readFileSync(vectors, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

function documentOf({ set = {}, drop = [] }: Case): Json {
  const base: Json = {
    issuers: [
      {
        name: 'staff',
        issuer: 'https://login.example.org',
        audience: 'orders',
        jwks: { url: 'https://login.example.org/jwks' },
      },
    ],
  };
  const parentOf = (pointer: string): [Json, string] => {
    const tokens = pointer.split('/').slice(1);
    const last = tokens.pop()!;
    return [tokens.reduce((at, token) => at[token] as Json, base), last];
  };
  for (const [pointer, value] of Object.entries(set)) {
    const [parent, name] = parentOf(pointer);
    parent[name] = value;
  }
  for (const pointer of drop) {
    const [parent, name] = parentOf(pointer);
    delete parent[name];
  }
  return base;
}

function defectsOf(text: string): string[] {
  try {
    parseUsers(text);
    return [];
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.defects.map(({ pointer }) => pointer);
  }
}

describe('users: the document', () => {
  const accepts = new Ajv2020({
    strict: true,
    strictRequired: false,
    strictTypes: false,
    allErrors: true,
  }).compile(schema);
  const known = ['what', 'set', 'drop', 'defects', 'beyondSchema'];

  for (const vector of cases)
    it(`${vector.defects.length === 0 ? 'accepts' : 'refuses'} ${vector.what}, as the schema does`, () => {
      assert.deepEqual(
        Object.keys(vector).filter((key) => !known.includes(key)),
        [],
      );
      const document = documentOf(vector);
      assert.deepEqual(defectsOf(JSON.stringify(document)).sort(), [...vector.defects].sort());
      assert.equal(accepts(document), vector.defects.length === 0 || vector.beyondSchema === true);
    });

  it('tells a member that is there twice, and what is no JSON', () => {
    assert.deepEqual(defectsOf('{"issuers": [{"name": "a", "name": "b"}]'), ['']);
    const twice = JSON.stringify(documentOf(cases[0]!)).replace('"audience":', '"audience":"x","audience":');
    assert.deepEqual(defectsOf(twice), ['/issuers/0/audience']);
  });

  it('quotes nothing that stands in it', () => {
    const document = {
      issuers: [{ name: 'S3CRET', issuer: 5, audience: [{ a: 'S3CRET' }], jwks: { url: 'S3CRET' } }],
    };
    assert.throws(
      () => parseUsers(JSON.stringify(document)),
      (error: InputError) => error.defects.length === 4 && !/S3CRET/.test(error.message),
    );
  });

  it('is read or refused, whatever it is', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => void defectsOf(text)),
      { numRuns: 2_000, seed: 11 },
    );
    const keys = fc.constantFrom(
      'issuers',
      'name',
      'jwks',
      'url',
      'file',
      'claims',
      'scope',
      'routes',
      'path',
      'like',
      'user',
      'methods',
    );
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom('', '/a', null, 5, 'required'),
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(keys, tie('node'), { maxKeys: 5 }),
      ),
    })).node;
    fc.assert(
      fc.property(value, (document) => void defectsOf(JSON.stringify(document))),
      { numRuns: 3_000, seed: 12 },
    );
  });

  it('names files that are there and hold what they should', async () => {
    const keys = { staff: 'x', a: 'b' };
    const document = {
      issuers: [
        {
          name: 'a',
          issuer: 'https://a',
          audience: 'x',
          jwks: { url: 'https://a', ca_file: 'none.pem' },
          decryption: { key_file: 'key' },
        },
        { name: 'b', issuer: 'https://b', audience: 'x', jwks: { file: 'keys.json' } },
        {
          name: 'c',
          issuer: 'https://c',
          audience: 'x',
          introspection: { url: 'https://c', client_id: 'c', client_secret_file: 'empty' },
        },
      ],
    };
    const files: Json = {
      '/f/users.json': document,
      '/f/keys.json': keys,
      '/f/key': { kty: 'RSA' },
      '/f/empty': '',
    };
    const read = async (path: string) => {
      if (!Object.hasOwn(files, path)) throw new Error('ENOENT');
      return Buffer.from(typeof files[path] === 'string' ? files[path] : JSON.stringify(files[path]));
    };
    await assert.rejects(loadUsers('/f/users.json', read), (error: InputError) => {
      assert.deepEqual(error.defects.map(({ pointer }) => pointer).sort(), [
        '/issuers/0/decryption/key_file',
        '/issuers/0/jwks/ca_file',
        '/issuers/1/jwks/file',
        '/issuers/2/introspection/client_secret_file',
      ]);
      return true;
    });
  });

  it('is answered by the codes that the documentation has', async () => {
    const docs = await readFile(new URL('../../../docs/users.md', import.meta.url), 'utf8');
    const rows = [...docs.matchAll(/^\| `([a-z_]+)` \| ([45]\d\d) \|/gm)].map(
      ([, code, status]) => `${code} ${status}`,
    );
    const answers = Object.entries(ANSWERS).map(([code, { problem }]) => {
      assert.equal(code, problem.code);
      return `${code} ${problem.status}`;
    });
    assert.deepEqual(rows.sort(), answers.sort());
  });

  it('of the documentation is one', async () => {
    const docs = await readFile(new URL('../../../docs/users.md', import.meta.url), 'utf8');
    const blocks = [...docs.matchAll(/```json\n(.*?)```/gs)].map(([, text]) => text!);
    assert.ok(blocks.length >= 2);
    for (const block of blocks) {
      assert.deepEqual(defectsOf(block), []);
      assert.equal(accepts(JSON.parse(block)), true);
    }
  });
});
