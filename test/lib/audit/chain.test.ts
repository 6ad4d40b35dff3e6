import assert from 'node:assert/strict';
import { createHash, verify, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import {
  type AuditEvent,
  CHECKPOINT_RECORDS,
  createChain,
  fieldText,
  GENESIS,
  MAX_LINE_BYTES,
  readRecord,
  recordText,
  textField,
  withFields,
} from '../../../lib/audit/index.ts';
import { at, check, decision, found, NOON, signatory, wholeRun } from './log.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('audit chain', () => {
  it('writes one JSON line per record, each with the SHA-256 of the line before', async () => {
    const lines = wholeRun((await signatory()).signer);
    assert.equal(GENESIS, sha256('signet-audit-v1\ngenesis'));
    let prev = GENESIS;
    for (const [seq, line] of lines.entries()) {
      assert.ok(line.endsWith('\n') && line.indexOf('\n') === line.length - 1);
      const record = JSON.parse(line);
      assert.deepEqual([record.seq, record.prev, record.time], [seq, prev, at(seq).toISOString()]);
      assert.notEqual(readRecord(line.slice(0, -1)), null);
      prev = sha256(line.slice(0, -1));
    }
  });

  it('puts the fields of an event between the chain’s own, as they were given', () => {
    const { line } = createChain().append(
      { type: 'decision', path: '/ä"\n', n: 1.5, list: [null, { b: 1, a: 2 }], none: undefined },
      NOON,
    );
    assert.equal(
      line,
      `{"seq":0,"time":"2026-06-01T12:00:00.000Z","type":"decision","path":"/ä\\"\\n","n":1.5,"list":[null,{"b":1,"a":2}],"prev":"${GENESIS}"}\n`,
    );
    assert.equal(
      createChain().append({ type: 'start' }, NOON).line,
      `{"seq":0,"time":"2026-06-01T12:00:00.000Z","type":"start","prev":"${GENESIS}"}\n`,
    );
  });

  it('signs a checkpoint with the SVID key over its own line, and holds the chain', async () => {
    const { signer } = await signatory();
    const chain = createChain();
    chain.append(decision(1), NOON);
    const { line } = chain.checkpoint(signer, at(1));
    const { chain: held, sig } = JSON.parse(line);
    assert.deepEqual(
      held,
      signer.chainDer.map((der) => Buffer.from(der).toString('base64')),
    );
    const signed = `signet-audit-v1\n${line.slice(0, line.indexOf(',"sig"'))}}`;
    const key = {
      key: new X509Certificate(signer.chainDer[0]!).publicKey,
      dsaEncoding: 'ieee-p1363',
    } as const;
    assert.equal(verify('sha256', Buffer.from(signed), key, Buffer.from(sig, 'base64url')), true);
  });

  it('asks for a checkpoint after 1,000 records or 10 s, and only if something is unsigned', async () => {
    const { signer } = await signatory();
    const chain = createChain();
    assert.equal(chain.checkpointDue(at(3600)), false);
    chain.append(decision(1), NOON);
    assert.equal(chain.checkpointDue(at(9.999)), false);
    chain.append(decision(2), at(9));
    assert.equal(chain.checkpointDue(at(10)), true);
    chain.checkpoint(signer, at(10));
    assert.equal(chain.checkpointDue(at(3600)), false);
    for (let n = 1; n < CHECKPOINT_RECORDS; n++) chain.append(decision(n), at(11));
    assert.equal(chain.checkpointDue(at(11)), false);
    chain.append(decision(1000), at(11));
    assert.equal(chain.checkpointDue(at(11)), true);
  });

  it('goes on from a state as if it had never stopped', async () => {
    const { signer } = await signatory();
    const lines = wholeRun(signer);
    const first = createChain();
    first.append({ type: 'start', version: '1' }, at(0));
    const second = createChain(first.state);
    assert.equal(second.append(decision(1), at(1)).line, lines[1]);
  });

  for (const [what, event, code] of [
    ...['seq', 'time', 'prev', 'chain', 'sig', 'fragment'].map(
      (field) => [`the field ${field}`, { type: 'decision', [field]: 1 }, 'AUDIT_RECORD_INVALID'] as const,
    ),
    ['a field named by a number', { type: 'decision', 7: 1 }, 'AUDIT_RECORD_INVALID'],
    ['a field without a name', { type: 'decision', '': 1 }, 'AUDIT_RECORD_INVALID'],
    ...['checkpoint', 'stop', 'recovered'].map(
      (type) => [`the type ${type}`, { type }, 'AUDIT_RECORD_INVALID'] as const,
    ),
    ['no type', { type: '' }, 'AUDIT_RECORD_INVALID'],
    ['a type with a quote', { type: 'a","x":"' }, 'AUDIT_RECORD_INVALID'],
    [
      'a record larger than any line',
      { type: 'decision', path: 'a'.repeat(MAX_LINE_BYTES) },
      'AUDIT_RECORD_TOO_LARGE',
    ],
    [
      'a record larger than any line in bytes',
      { type: 'decision', path: 'ä'.repeat(MAX_LINE_BYTES / 2) },
      'AUDIT_RECORD_TOO_LARGE',
    ],
  ] as [string, AuditEvent, string][]) {
    it(`refuses ${what}, and stands where it stood`, () => {
      const chain = createChain();
      chain.append(decision(1), NOON);
      const before = chain.state;
      assert.throws(() => chain.append(event, NOON), { name: 'AuditError', code });
      assert.equal(chain.state, before);
    });
  }

  it('puts a mark into every record, and takes no event that has a field of it', async () => {
    const { signer } = await signatory();
    const chain = createChain(undefined, { worker: 2, pid: 7 });
    const lines = [
      chain.append({ type: 'start' }, NOON),
      chain.append(withFields(recordText('decision'), textField('path')('/a')), NOON),
      chain.checkpoint(signer, NOON),
      chain.stop(null, { reason: 'SIGTERM' }, NOON),
    ].map(({ line }) => line);
    for (const line of lines) {
      const { worker, pid } = readRecord(line.slice(0, -1))!;
      assert.deepEqual([worker, pid], [2, 7]);
    }
    assert.throws(() => chain.append({ type: 'decision', worker: 1 }, NOON), {
      code: 'AUDIT_RECORD_INVALID',
    });
    assert.throws(() => chain.stop(null, { pid: 1 }, NOON), { code: 'AUDIT_RECORD_INVALID' });
  });

  it('writes and reads back the largest record that fits, and no larger one', () => {
    const chain = createChain();
    const room = MAX_LINE_BYTES - chain.append({ type: 'decision', path: '' }, NOON).line.length;
    const fresh = createChain();
    assert.throws(() => fresh.append({ type: 'decision', path: 'a'.repeat(room + 1) }, NOON), {
      code: 'AUDIT_RECORD_TOO_LARGE',
    });
    const { line } = fresh.append({ type: 'decision', path: 'a'.repeat(room) }, NOON);
    assert.equal(line.length, MAX_LINE_BYTES);
    assert.deepEqual(found(check([line], { bundle: null })), ['unsigned 1']);
  });
});

describe('a record written down in parts', () => {
  it('is the record that the event would be', () => {
    const unit = fc.constantFrom(...'aä"\\\n\u0000\u007f/ ~!#[]é\ud800😀');
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 12 }),
        fc.string({ unit, maxLength: 12 }),
        fc.integer(),
        (a, b, n) => {
          const parts = withFields(
            withFields(recordText('decision'), textField('a')(a)),
            fieldText({ b, n }),
          );
          const line = createChain().append(parts, NOON).line;
          assert.equal(line, createChain().append({ type: 'decision', a, b, n }, NOON).line);
          assert.notEqual(readRecord(line.slice(0, -1)), null);
        },
      ),
    );
  });

  for (const name of ['seq', 'time', 'prev', 'chain', 'sig', 'fragment', 'type', '7', '']) {
    it(`has no field named ${JSON.stringify(name)}`, () => {
      assert.throws(() => textField(name), { name: 'AuditError', code: 'AUDIT_RECORD_INVALID' });
      assert.throws(() => fieldText({ [name]: 1 }), { name: 'AuditError', code: 'AUDIT_RECORD_INVALID' });
    });
  }

  for (const type of ['checkpoint', 'stop', 'recovered', '', 'a","x":"']) {
    it(`is not of the type ${JSON.stringify(type)}`, () => {
      assert.throws(() => recordText(type), { name: 'AuditError', code: 'AUDIT_RECORD_INVALID' });
    });
  }
});

describe('readRecord', () => {
  const { line } = createChain().append({ type: 'decision', a: { '1': 1 } }, NOON);
  const text = line.slice(0, -1);

  it('reads what the chain wrote', () => {
    assert.equal(readRecord(text)?.type, 'decision');
  });

  for (const [what, damage] of [
    ['white space', (s) => s.replace(',', ', ')],
    ['an escape that is not needed', (s) => s.replace('decision', '\\u0064ecision')],
    ['a member twice', (s) => s.replace('"type":', '"type":"start","type":')],
    ['a number in another spelling', (s) => s.replace('"seq":0', '"seq":0.0')],
    ['members in another order', (s) => s.replace('"seq":0,', '').replace('"type"', '"seq":0,"type"')],
    ['a member after the hash', (s) => s.replace(/\}$/, ',"x":1}')],
    ['no hash', (s) => s.replace(/,"prev":"\w+"/, '')],
    ['a hash in capitals', (s) => s.replace(/"prev":"\w+/, (c) => `"prev":"${c.slice(8).toUpperCase()}`)],
    ['a hash in an array', (s) => s.replace(/"prev":("\w+")/, '"prev":[$1]')],
    ['a time in an array', (s) => s.replace(/"time":("[^"]+")/, '"time":[$1]')],
    ['a time that is none', (s) => s.replace('2026-06', '2026-13')],
    ['a time without milliseconds', (s) => s.replace('.000Z', 'Z')],
    ['a negative number', (s) => s.replace('"seq":0', '"seq":-1')],
    ['a number as text', (s) => s.replace('"seq":0', '"seq":"0"')],
    ['a type that is none', (s) => s.replace('"decision"', 'null')],
    ['a type in capitals', (s) => s.replace('"decision"', '"Decision"')],
    ['a chain without a signature', (s) => s.replace('"prev"', '"chain":[],"prev"')],
    ['a signature without a chain', (s) => s.replace(/\}$/, ',"sig":"x"}')],
    ['an array', () => '[]'],
    ['null', () => 'null'],
    ['nothing', () => ''],
  ] as [string, (s: string) => string][]) {
    it(`refuses ${what}`, () => {
      assert.notEqual(damage(text), text);
      assert.equal(readRecord(damage(text)), null);
    });
  }
});
