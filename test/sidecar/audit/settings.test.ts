import assert from 'node:assert/strict';
import fc from 'fast-check';
import { auditOf } from '../../../sidecar/audit/of-settings.ts';
import { auditFlaw, parseAuditOptions, parseAuditSinks } from '../../../sidecar/config/audit.ts';
import { SettingError } from '../../../sidecar/config/values.ts';

const defectsOf = (parse: () => unknown): readonly string[] => {
  try {
    parse();
    return [];
  } catch (error) {
    assert.ok(error instanceof SettingError);
    return error.defects;
  }
};

describe('SIGNET_AUDIT', () => {
  for (const [text, file, stdout, broker] of [
    ['-', null, true, false],
    ['/var/log/a.jsonl', '/var/log/a.jsonl', false, false],
    ['a.jsonl', 'a.jsonl', false, false],
    ['file:/var/log/a.jsonl broker', '/var/log/a.jsonl', false, true],
    ['  broker\n-\tfile:broker ', 'broker', true, true],
    ['broker', null, false, true],
  ] as const) {
    it(`takes ${JSON.stringify(text)}`, () =>
      assert.deepEqual(parseAuditSinks(text), { file, stdout, broker }));
  }

  for (const [text, ...defects] of [
    ['a b', 'sink 2: is the second of its kind (a path holds no white space)'],
    ['- -', 'sink 2: is the second of its kind (a path holds no white space)'],
    ['broker x broker', 'sink 3: is the second of its kind (a path holds no white space)'],
    ['file:', 'sink 1: names no file'],
    ['/a.000000000001', 'sink 1: is named like a file that is full'],
  ] as const) {
    it(`refuses ${JSON.stringify(text)}, without quoting it`, () =>
      assert.deepEqual(
        defectsOf(() => parseAuditSinks(text)),
        defects,
      ));
  }

  it('gives each worker a file of its own, marks what shares a stream, and names the broker to all', () => {
    const broker = { url: new URL('https://broker'), ca: 'PEM' };
    const of = (text: string, worker?: number) =>
      auditOf({
        audit: { ...parseAuditSinks(text), ...parseAuditOptions('') },
        ...{ broker, trustDomain: 'example.org' },
        ...(worker === undefined ? {} : { worker }),
      });
    const targets = (text: string) => [undefined, 1, 2].map((worker) => of(text, worker).target);
    assert.deepEqual(targets('/a.jsonl -'), ['/a.jsonl', '/a.jsonl', '/a.jsonl.2']);
    assert.deepEqual(targets('-'), ['-', '-', '-']);
    assert.deepEqual(targets('/dev/null'), ['/dev/null', '/dev/null', '/dev/null']);
    assert.deepEqual(targets('broker'), [null, null, null]);
    assert.deepEqual(of('- broker', 2).mark, { worker: 2, pid: process.pid });
    assert.equal(of('/a.jsonl', 2).mark, undefined);
    assert.deepEqual(
      [of('/a.jsonl -').stdout, of('-').stdout, of('/a broker').collecting?.broker.ca, of('/a').collecting],
      [true, false, 'PEM', undefined],
    );
  });
});

describe('SIGNET_AUDIT_OPTIONS', () => {
  it('takes every option, and has defaults', () => {
    assert.deepEqual(parseAuditOptions(''), {
      ...{ rotation: { bytes: null, ageMs: null, keep: null }, bufferBytes: 8 << 20, whenFull: null },
    });
    const all = 'rotate-size=64m rotate-age=1d keep=10 broker-buffer=256k broker-full=drop';
    assert.deepEqual(parseAuditOptions(all), {
      ...{
        rotation: { bytes: 64 << 20, ageMs: 86_400_000, keep: 10 },
        bufferBytes: 256 << 10,
        whenFull: 'drop',
      },
    });
  });

  for (const [text, defect] of [
    ['rotate-size=1k', 'rotate-size: is not a size from 256k to 1024g'],
    ['rotate-size=2000g', 'rotate-size: is not a size from 256k to 1024g'],
    ['rotate-size=64d', 'rotate-size: is not a size from 256k to 1024g'],
    ['rotate-age=30s', 'rotate-age: is not a time from 1m to 366d'],
    ['rotate-age=9 keep=0', 'rotate-age: is not a time from 1m to 366d'],
    ['keep=3', 'keep: needs rotate-size or rotate-age'],
    ['broker-full=maybe', 'broker-full: is not one of refuse, drop'],
    ['broker-full=drop broker-full=drop', 'broker-full: is given twice'],
    ['size=1m', 'option 1: its name is none of rotate-size, rotate-age, keep, broker-buffer, broker-full'],
    ['toString=1', 'option 1: its name is none of rotate-size, rotate-age, keep, broker-buffer, broker-full'],
    [
      'rotate-size',
      'option 1: its name is none of rotate-size, rotate-age, keep, broker-buffer, broker-full',
    ],
  ] as const) {
    it(`refuses ${text}`, () => assert.ok(defectsOf(() => parseAuditOptions(text)).includes(defect)));
  }

  it('says what its options need of the sinks', () => {
    const flaw = (sinks: string, options: string) =>
      auditFlaw(parseAuditSinks(sinks), parseAuditOptions(options));
    assert.match(flaw('-', 'rotate-size=1m') ?? '', /names none/);
    assert.match(flaw('/a', 'broker-full=drop') ?? '', /does not name it/);
    assert.equal(flaw('/a broker', 'rotate-size=1m broker-full=drop'), null);
  });

  it('either reads a text or names what is wrong with it', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        defectsOf(() => parseAuditOptions(text));
        defectsOf(() => parseAuditSinks(text));
      }),
    );
  });
});
