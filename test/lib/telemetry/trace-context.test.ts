import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  formatTraceParent,
  isSampledBy,
  parseTraceParent,
  readTraceState,
} from '../../../lib/telemetry/index.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const SAMPLED = { traceId: TRACE, spanId: SPAN, sampled: true };
const UNSAMPLED = { ...SAMPLED, sampled: false };

describe('telemetry: traceparent', () => {
  const read: [text: string, want: object | null, why: string][] = [
    [`00-${TRACE}-${SPAN}-01`, SAMPLED, 'version 00'],
    [`00-${TRACE}-${SPAN}-00`, UNSAMPLED, 'not sampled'],
    [`00-${TRACE}-${SPAN}-03`, SAMPLED, 'a flag that is not known'],
    [`00-${TRACE}-${SPAN}-fe`, UNSAMPLED, 'all flags but the known one'],
    [`01-${TRACE}-${SPAN}-01`, SAMPLED, 'a higher version of the same length'],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-holds`, SAMPLED, 'a higher version with more behind it'],
    [`cc-${TRACE}-${SPAN}-01-`, SAMPLED, 'a higher version with a dash behind it'],
    [`cc-${TRACE}-${SPAN}-01.more`, null, 'a higher version with more that no dash sets off'],
    [`cc-${TRACE}-${SPAN}-0`, null, 'a higher version that is too short'],
    [`ff-${TRACE}-${SPAN}-01`, null, 'version ff'],
    [`00-${TRACE}-${SPAN}-01-`, null, 'version 00 with a dash behind it'],
    [`00-${TRACE}-${SPAN}-01-more`, null, 'version 00 with more behind it'],
    [`00-${TRACE}-${SPAN}-01 `, null, 'a space behind it'],
    [` 00-${TRACE}-${SPAN}-01`, null, 'a space before it'],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, null, 'a trace of zeros'],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, null, 'a span of zeros'],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, null, 'upper case in the trace'],
    [`00-${TRACE}-${SPAN.toUpperCase()}-01`, null, 'upper case in the span'],
    [`0A-${TRACE}-${SPAN}-01`, null, 'upper case in the version'],
    [`00-${TRACE}-${SPAN}-0A`, null, 'upper case in the flags'],
    [`00-${TRACE.slice(1)}-${SPAN}-01`, null, 'a trace that is too short'],
    [`00-${TRACE}0-${SPAN}-01`, null, 'a trace that is too long'],
    [`00-${TRACE}-${SPAN.slice(1)}-01`, null, 'a span that is too short'],
    [`00-${TRACE}-${SPAN}-1`, null, 'flags that are too short'],
    [`0-${TRACE}-${SPAN}-01`, null, 'a version that is too short'],
    [`00_${TRACE}-${SPAN}-01`, null, 'another separator'],
    [`00-${TRACE}-${SPAN}`, null, 'no flags'],
    [`00-${TRACE}-${SPAN}-01\n`, null, 'a line end'],
    [`00-${TRACE.slice(1)}g-${SPAN}-01`, null, 'what is no hex digit'],
    ['', null, 'nothing'],
  ];
  for (const [text, want, why] of read)
    it(`${want === null ? 'refuses' : 'takes'} ${why}`, () => {
      assert.deepEqual(parseTraceParent(text), want);
    });

  it('whatever text comes, what is taken is written as version 00 and reads the same', () => {
    const near = fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-.{0,9})?$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        const context = parseTraceParent(text);
        if (context === null) return;
        const written = formatTraceParent(context);
        assert.match(written, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
        assert.deepEqual(parseTraceParent(written), context);
        assert.equal(written.slice(2, 53), text.slice(2, 53));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('telemetry: tracestate', () => {
  const long = (key: string, length: number) => `${key}=${'v'.repeat(length - key.length - 1)}`;
  const many = (count: number) => Array.from({ length: count }, (_, i) => `k${i}=v`).join(',');
  const read: [lines: string[], want: string, why: string][] = [
    [['rojo=00f067aa0ba902b7'], 'rojo=00f067aa0ba902b7', 'one member'],
    [['rojo=1,congo=2'], 'rojo=1,congo=2', 'two, in their order'],
    [['rojo=1', 'congo=2'], 'rojo=1,congo=2', 'two lines as one'],
    [[' rojo=1 \t,\tcongo=2 '], 'rojo=1,congo=2', 'space around members'],
    [['rojo=1,,congo=2,'], 'rojo=1,congo=2', 'empty members'],
    [['fw529a3039@dt=a b'], 'fw529a3039@dt=a b', 'a tenant, and a value with a space'],
    [['0a@b=1'], '0a@b=1', 'a tenant that begins with a digit'],
    [['a=/*-_ !~'], 'a=/*-_ !~', 'all that a value may hold'],
    [[many(32)], many(32), '32 members'],
    [[many(33)], '', '33 members'],
    [['rojo=1,rojo=2'], '', 'a key twice'],
    [['Rojo=1'], '', 'a key in upper case'],
    [['0rojo=1'], '', 'a key that begins with a digit'],
    [['rojo'], '', 'a member without a value'],
    [['rojo='], '', 'an empty value'],
    [['=1'], '', 'an empty key'],
    [['rojo=1=2'], '', 'a value with an equals sign'],
    [['rojo=a\x7f'], '', 'a value with a control character'],
    [['ro jo=1'], '', 'a key with a space'],
    [['a@b@c=1'], '', 'two at signs'],
    [[`${'a'.repeat(257)}=1`], '', 'a key that is too long'],
    [[`a=${'v'.repeat(257)}`], '', 'a value that is too long'],
    [['a=1,b=\x00'], '', 'one sound member beside one that is not'],
    [[], '', 'no line'],
    [
      [[long('a', 200), 'b=1', long('c', 200), 'd=1', long('e', 200)].join(',')],
      [long('a', 200), 'b=1', long('c', 200), 'd=1'].join(','),
      'more than can be passed on: the last of the long ones goes',
    ],
    [
      [Array.from({ length: 10 }, (_, i) => long(`k${i}`, 100)).join(',')],
      Array.from({ length: 5 }, (_, i) => long(`k${i}`, 100)).join(','),
      'more than can be passed on, none of it long: the last ones go',
    ],
  ];
  for (const [lines, want, why] of read)
    it(`${want === '' && lines.length > 0 ? 'drops all of it for' : 'reads'} ${why}`, () => {
      assert.equal(readTraceState(lines), want);
    });

  it('whatever lines come, what is read is short, sound, and reads the same again', () => {
    const member = fc.stringMatching(/^[a-z0-9@*/_-]{1,8}=[ -~]{0,40}$/);
    const line = fc.oneof(
      fc.string(),
      fc.array(member, { maxLength: 40 }).map((each) => each.join(',')),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 3 }), (lines) => {
        const state = readTraceState(lines);
        assert.ok(state.length <= 512 && !/[\r\n]/.test(state));
        assert.equal(readTraceState([state]), state);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('telemetry: sampling', () => {
  it('records none of 0, all of 1, and about the share that was asked for', () => {
    const ids = Array.from({ length: 4_096 }, (_, i) => {
      // spread over all that the digits can say
      const digits = Math.floor((i / 4_096) * 16 ** 13)
        .toString(16)
        .padStart(13, '0');
      return '0af7651916cd43dd844'.padEnd(19, '0') + digits;
    });
    const recorded = (share: number) => ids.filter((id) => isSampledBy(share, id)).length;
    assert.deepEqual([0, 0.25, 0.5, 1].map(recorded), [0, 1_024, 2_048, 4_096]);
    assert.equal(isSampledBy(1, 'f'.repeat(32)), true);
  });
});
