import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { isSame } from '../../../terraform/provider/plugin/canonical.ts';
import {
  Decimal,
  Dynamic,
  type Type,
  UNKNOWN,
  type Value,
  type Values,
} from '../../../terraform/provider/plugin/index.ts';
import { createService, type Message } from '../../../terraform/provider/plugin/service/index.ts';
import { withTimeouts } from '../../../terraform/provider/plugin/timeouts.ts';
import { typeOfBody } from '../../../terraform/provider/plugin/types.ts';
import { decodeValue, encodeValue, WireError } from '../../../terraform/provider/plugin/wire/index.ts';
import { probe } from './probe/provider.ts';
import { thing } from './probe/thing.ts';

const { type: anyType } = fc.letrec<{ type: Type }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Type>('string', 'bool', 'number', 'dynamic'),
    fc.array(tie('type'), { maxLength: 3 }).map((tuple) => ({ tuple })),
    tie('type').map((list) => ({ list })),
    tie('type').map((set) => ({ set })),
    tie('type').map((map) => ({ map })),
    fc
      .dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie('type'), { maxKeys: 4 })
      .map((object) => ({ object: { ...object } })),
  ),
}));

const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }).filter((n) => !Number.isSafeInteger(Number(n))),
  fc.stringMatching(/^[1-9]\.[0-9]{20,60}[1-9]$/).map((text) => new Decimal(text)),
);

/** A value with its type; what is unknown or null stands within. */
const dynamic: fc.Arbitrary<Value> = fc
  .constantFrom<Type>('string', 'number', { tuple: ['bool', 'number'] }, { object: { a: { set: 'string' } } })
  .chain((type) => valuesOf(type).map((value) => new Dynamic(type, value)));

function valuesOf(type: Type): fc.Arbitrary<Value> {
  const known = ((): fc.Arbitrary<Value> => {
    if (type === 'string') return fc.string({ unit: 'grapheme' });
    if (type === 'bool') return fc.boolean();
    if (type === 'number') return number;
    if (type === 'dynamic') return dynamic;
    if ('tuple' in type) return fc.tuple(...type.tuple.map(valuesOf));
    if ('list' in type) return fc.array(valuesOf(type.list), { maxLength: 5 });
    if ('set' in type) return fc.array(valuesOf(type.set), { maxLength: 5 });
    if ('map' in type)
      return fc
        .dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          valuesOf(type.map),
          { maxKeys: 4 },
        )
        .map((map) => ({ ...map }));
    return fc
      .record(Object.fromEntries(Object.entries(type.object).map(([name, each]) => [name, valuesOf(each)])))
      .map((object) => ({ ...object }));
  })();
  return fc.oneof(
    { weight: 8, arbitrary: known },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constant<Value>(UNKNOWN) },
  );
}

const typed = anyType.chain((type) => valuesOf(type).map((value) => [type, value] as const));

/** What is read of bytes, or undefined where they are refused. @throws what is no refusal */
function reads(bytes: Uint8Array, type: Type): Value | undefined {
  try {
    return decodeValue({ msgpack: bytes }, type);
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

describe('values on the wire', function () {
  this.timeout(120_000);

  it('come back as they went, of every type', () => {
    fc.assert(
      fc.property(typed, ([type, value]) => {
        const { msgpack } = encodeValue(value, type);
        assert.ok(isSame(decodeValue({ msgpack }, type), value, type));
      }),
      { seed: 11, numRuns: 3_000 },
    );
  });

  it('are refused, or are values of their type, whatever the bytes are', () => {
    const junk = fc.uint8Array({ maxLength: 200 });
    fc.assert(
      fc.property(anyType, junk, (type, bytes) => {
        const value = reads(bytes, type);
        if (value !== undefined) encodeValue(value, type);
      }),
      { seed: 12, numRuns: 5_000 },
    );
    const near = fc.tuple(typed, fc.nat(), fc.nat(6), fc.uint8Array({ maxLength: 6 }));
    fc.assert(
      fc.property(near, ([[type, value], place, length, piece]) => {
        const { msgpack } = encodeValue(value, type);
        const at = place % (msgpack.length + 1);
        const bytes = Buffer.concat([msgpack.subarray(0, at), piece, msgpack.subarray(at + length)]);
        const read = reads(bytes, type);
        if (read !== undefined) encodeValue(read, type);
      }),
      { seed: 13, numRuns: 5_000 },
    );
  });

  it('are unknown, however much is said of them all the same', () => {
    for (const hex of ['d40000', 'c7000c', 'd50c81c2', 'c7030c8101c2', 'c7080c8201c202a3616263'])
      assert.equal(decodeValue({ msgpack: Buffer.from(hex, 'hex') }, 'string'), UNKNOWN, hex);
    assert.equal(reads(Buffer.from('c7030d8101c2', 'hex'), 'string'), undefined);
  });

  it('are refused where they are too deep, or tell of more than there is', () => {
    for (const bytes of [
      Buffer.alloc(1_000_000, 0x91),
      Buffer.from('ddffffffff', 'hex'),
      Buffer.from('dfffffffff', 'hex'),
      Buffer.from('dbffffffff61', 'hex'),
      Buffer.from('c6ffffffff', 'hex'),
      Buffer.from('a16161', 'hex'),
    ])
      assert.equal(reads(bytes, { list: 'string' }), undefined);
    assert.throws(() => decodeValue({ json: Buffer.from('['.repeat(1_000_000)) }, 'string'), WireError);
  });
});

describe('calls of a provider', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'signet-fuzz-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const logged: string[] = [];
  const service = createService(probe, (fields) => void logged.push(JSON.stringify(fields)));
  const type = typeOfBody(withTimeouts(thing.schema, thing.timeouts));
  const secret = 'never-to-be-told';
  const sound = (changes: Values) => {
    const whole = Object.keys(type.object).map((name) => [name, null]);
    return encodeValue({ ...Object.fromEntries(whole), port: [], ...changes }, type);
  };
  const bytes = fc.oneof(
    fc.constant({ msgpack: Buffer.alloc(0) }),
    fc.constant(sound({ name: 'a', password: secret, token: secret })),
    fc.constant(encodeValue(null, type)),
    fc.uint8Array({ maxLength: 60 }).map((msgpack) => ({ msgpack: Buffer.from(msgpack) })),
    fc.string({ maxLength: 30 }).map((text) => ({ json: Buffer.from(text) })),
  );
  const kept = fc.oneof(
    fc.constantFrom('', '{"made":1}', '[]', 'null').map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 20 }).map((each) => Buffer.from(each)),
  );
  const raw = fc.oneof(
    fc.constant({ json: Buffer.from(JSON.stringify({ title: 'a', name: 'a', password: secret })) }),
    fc.json({ maxDepth: 3 }).map((text) => ({ json: Buffer.from(text) })),
    kept.map((json) => ({ json })),
  );
  const request = fc.record({
    type_name: fc.constantFrom('probe_thing', 'probe_token', 'probe_strange', '__proto__'),
    version: fc.integer({ min: -1, max: 4 }),
    id: fc.string({ maxLength: 9 }),
    terraform_version: fc.constant('1.12.0'),
    config: bytes,
    prior_state: bytes,
    planned_state: bytes,
    current_state: bytes,
    proposed_new_state: bytes,
    raw_state: raw.map((each) => ({ ...each, flatmap: {} })),
    source_state: raw,
    private: kept,
    prior_private: kept,
    planned_private: kept,
    client_capabilities: fc.constantFrom(null, { write_only_attributes_allowed: true }),
  }) as unknown as fc.Arbitrary<Message>;

  it('are all answered, whatever their messages hold, and tell nothing that is secret', async () => {
    await service['ConfigureProvider']!(
      {
        config: encodeValue({ store: folder, key: null }, typeOfBody(probe.schema)),
      } as unknown as Message,
      new AbortController().signal,
    );
    const calls = Object.keys(service).filter((name) => name !== 'ConfigureProvider');
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...calls), request, async (call, message) => {
        const answer = await service[call]!(message, new AbortController().signal);
        const { diagnostics } = answer as { diagnostics?: object[] };
        assert.ok(call === 'StopProvider' || Array.isArray(diagnostics), call);
        assert.ok(!JSON.stringify(diagnostics ?? []).includes(secret), call);
      }),
      { seed: 14, numRuns: 4_000 },
    );
    assert.ok(!logged.join('\n').includes(secret));
  });
});
