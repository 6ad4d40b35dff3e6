import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  dropTraceFields,
  HEAD_LIMITS,
  HeadWriter,
  NOTHING,
  RequestHead,
  readTraceFields,
  scanRequest,
} from '../../../sidecar/http1/index.ts';

const NAMES = ['traceparent', 'tracestate', 'baggage', 'x-request-id'] as const;
const OTHERS = [
  'accept',
  'trace-parent',
  'x-request-ids',
  'baggages',
  'x-signet-caller',
  'proxy',
  'x',
  'keep-alive',
];

/** In any case, and `-` as whatever an app may take for it. */
const spelled = (name: string) =>
  fc
    .array(fc.tuple(fc.boolean(), fc.constantFrom('-', '_', '.')), {
      minLength: name.length,
      maxLength: name.length,
    })
    .map((choices) =>
      [...name].map((c, i) => (c === '-' ? choices[i]![1] : choices[i]![0] ? c.toUpperCase() : c)).join(''),
    );
const line = fc.tuple(
  fc.oneof(...NAMES.map(spelled), fc.constantFrom(...OTHERS)),
  fc.stringMatching(/^[ \t]*[!-~ \t]{0,30}[ \t]*$/),
);

/** As the loosest app reads a name. */
const folded = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '-');
const trimmed = (value: string) => value.replace(/^[ \t]+|[ \t]+$/g, '');
const head = new RequestHead();
const writer = new HeadWriter(() => {});

function scanned(lines: readonly (readonly [string, string])[]): Buffer | null {
  const text = lines.map(([name, value]) => `${name}:${value}\r\n`).join('');
  const bytes = Buffer.from(`GET /a HTTP/1.1\r\nhost: orders\r\n${text}\r\n`, 'latin1');
  return scanRequest(bytes, 0, bytes.length, HEAD_LIMITS, head) === bytes.length ? bytes : null;
}

function written(bytes: Buffer): string[] {
  const out = writer.request(bytes, head, NOTHING, bytes.length, bytes.length).toString('latin1');
  return out.split('\r\n').slice(1, -2);
}

describe('header lines of a trace', () => {
  it('are read by their names alone, and left out in every spelling, whatever stands around them', () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.boolean(), (lines, baggage) => {
        const bytes = scanned(lines);
        if (bytes === null) return;
        taken++;
        const values = (wanted: string) =>
          lines.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => trimmed(value));
        assert.deepEqual(readTraceFields(head), {
          traceparent: values('traceparent'),
          tracestate: values('tracestate'),
          baggage: values('baggage'),
          requestId: values('x-request-id'),
        });
        const before = written(bytes);
        dropTraceFields(head, baggage);
        const kept = before.filter((each) => {
          const name = folded(each.slice(0, each.indexOf(':')));
          return name === 'baggage' ? !baggage : !(NAMES as readonly string[]).includes(name);
        });
        assert.deepEqual(written(bytes), kept);
        const drops = [...head.drops.subarray(0, head.dropCount)];
        assert.deepEqual(
          drops,
          drops.toSorted((a, b) => a - b),
        );
      }),
      { numRuns: 3_000 },
    );
    assert.ok(taken > 1_000, `${taken} heads were sound`);
  });

  it('are left out though there are as many lines as there may be', () => {
    const lines = Array.from(
      { length: HEAD_LIMITS.fields - 1 },
      (_, i) => [i % 2 ? 'x-request-id' : 'proxy', 'a'] as const,
    );
    const bytes = scanned(lines)!;
    dropTraceFields(head, true);
    assert.deepEqual(written(bytes), ['host: orders']);
  });
});
