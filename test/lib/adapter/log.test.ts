import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createLog, LOG_LEVELS, type LogFields, type LogLevel } from '../../../lib/adapter/log.ts';
import { Secret } from '../../../lib/secret.ts';

const NOON = new Date('2026-06-01T12:00:00Z');

function logged(write: (log: ReturnType<typeof createLog>) => void, level: LogLevel = 'debug'): string[] {
  const lines: string[] = [];
  write(createLog({ level, now: () => NOON, write: (line) => lines.push(line) }));
  return lines;
}
const fieldsOf = (fields: LogFields) => {
  const [line] = logged((log) => log.info('x', fields));
  const { time, level, event, ...rest } = JSON.parse(line!);
  assert.deepEqual([time, level, event], [NOON.toISOString(), 'info', 'x']);
  return rest;
};

describe('log', () => {
  it('writes one JSON object a line: time, level, event, fields', () => {
    assert.deepEqual(
      logged((log) => log.info('listening', { what: 'broker', port: 1 })),
      ['{"time":"2026-06-01T12:00:00.000Z","level":"info","event":"listening","what":"broker","port":1}\n'],
    );
    assert.deepEqual(logged((log) => log.info('x')).length, 1);
  });

  for (const [at, level] of LOG_LEVELS.entries()) {
    it(`at ${level} writes what is as grave, and every alarm`, () => {
      const lines = logged((log) => {
        for (const name of LOG_LEVELS) log[name]('x');
      }, level);
      assert.deepEqual(
        lines.map((line) => JSON.parse(line).level),
        LOG_LEVELS.slice(at),
      );
    });
  }

  it('a child adds its fields, its own child more, and the parent none', () => {
    const lines = logged((log) => {
      const child = log.child({ a: 1, b: 1 });
      child.child({ b: 2 }).warn('x', { c: 3 });
      child.warn('x', { a: 9 });
      log.warn('x');
    });
    assert.deepEqual(
      lines.map((line) => line.slice(line.indexOf('"x"') + 3)),
      [',"a":1,"b":2,"c":3}\n', ',"a":9,"b":1}\n', '}\n'],
    );
  });

  it('a child keeps the level', () => {
    assert.deepEqual(
      logged((log) => log.child({}).info('x'), 'warn'),
      [],
    );
  });

  it('no field takes the place of time, level or event', () => {
    const forged = { time: 'never', level: 'debug', event: 'all is well' };
    for (const write of [
      (log: ReturnType<typeof createLog>) => log.alarm('theft', forged),
      (log: ReturnType<typeof createLog>) => log.child(forged).alarm('theft'),
    ]) {
      assert.deepEqual(logged(write), [
        '{"time":"2026-06-01T12:00:00.000Z","level":"alarm","event":"theft"}\n',
      ]);
    }
  });

  it('a text with line breaks stays in its line', () => {
    const [line] = logged((log) => log.info('a\n{"level":"alarm"}', { b: 'c\r\nd\u2028' }));
    assert.equal(line!.indexOf('\n'), line!.length - 1);
    assert.equal(JSON.parse(line!).b, 'c\r\nd\u2028');
  });

  it('a secret is redacted', () => {
    assert.deepEqual(fieldsOf({ token: new Secret('hvs.x') }), { token: '[redacted]' });
  });

  it('an error is told by name, code, message and causes, and nothing else that hangs on it', () => {
    const cause = Object.assign(new TypeError('inner'), { code: 'E_INNER', body: 'hvs.x' });
    const error = Object.assign(new Error('outer', { cause }), { response: { token: 'hvs.x' } });
    assert.deepEqual(fieldsOf({ error }), {
      error: {
        name: 'Error',
        message: 'outer',
        cause: { name: 'TypeError', code: 'E_INNER', message: 'inner' },
      },
    });
    assert.deepEqual(fieldsOf({ error: new Error('outer', { cause: { token: 'hvs.x' } }) }), {
      error: { name: 'Error', message: 'outer' },
    });
  });

  it('a serial of any size is told whole', () => {
    assert.deepEqual(fieldsOf({ serial: 2n ** 64n }), { serial: '18446744073709551616' });
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const causedByItself = new Error('x');
  causedByItself.cause = causedByItself;
  for (const [what, fields, name] of [
    ['a circle', circle, 'TypeError'],
    ['an error that caused itself', { causedByItself }, 'RangeError'],
    ['what throws when it is written', { a: { toJSON: () => assert.fail('no') } }, 'AssertionError'],
    [
      'a getter that throws',
      {
        get a() {
          return assert.fail('no');
        },
      },
      'AssertionError',
    ],
  ] as const) {
    it(`${what} does not throw, and the line is still written`, () => {
      assert.deepEqual(fieldsOf(fields), { unwritable: name });
    });
  }
});
