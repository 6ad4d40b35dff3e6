import assert from 'node:assert/strict';
import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import { describe, it } from 'mocha';
import { Secret } from '../../lib/secret.ts';

const VALUE = 'hvs.CAESI-of-great-worth';
const secret = new Secret(VALUE);

describe('secret', () => {
  it('gives its value to whoever asks for it', () => {
    assert.equal(secret.reveal(), VALUE);
    const bytes = new Secret(new Uint8Array([1, 2]));
    assert.deepEqual(bytes.reveal(), new Uint8Array([1, 2]));
  });

  for (const [how, print, want] of [
    ['a template', () => `${secret}`, '[redacted]'],
    ['joining', () => ['token', secret].join('='), 'token=[redacted]'],
    ['adding', () => `token ${String(secret)}`, 'token [redacted]'],
    [
      'JSON',
      () => JSON.stringify({ token: secret, all: [secret] }),
      '{"token":"[redacted]","all":["[redacted]"]}',
    ],
    ['inspect', () => inspect(secret), '[redacted]'],
    ['inspect of what holds it', () => inspect({ token: secret }), '{ token: [redacted] }'],
    ['%s', () => format('%s', secret), '[redacted]'],
    ['%o', () => format('%o', secret), '[redacted]'],
    ['%j', () => format('%j', secret), '"[redacted]"'],
  ] as const) {
    it(`is redacted by ${how}`, () => assert.equal(print(), want));
  }

  for (const [how, print] of [
    [
      'inspect with all hidden parts',
      () => inspect(secret, { showHidden: true, customInspect: false, depth: null }),
    ],
    ['its keys', () => JSON.stringify([Reflect.ownKeys(secret), Object.entries(secret)])],
    ['a spread copy', () => JSON.stringify({ ...secret })],
    ['a structured clone', () => inspect(structuredClone({ secret }))],
    ['V8’s serializer', () => serialize({ secret }).toString('latin1')],
    ['a failed assertion', () => thrown(() => assert.deepEqual(secret, { other: true }))],
    ['a TypeError', () => thrown(() => (secret as unknown as () => void)())],
    ['arithmetic', () => String(Number(secret))],
  ] as const) {
    it(`does not show in ${how}`, () => {
      for (let at = 0; at + 6 <= VALUE.length; at++) assert.ok(!print().includes(VALUE.slice(at, at + 6)));
    });
  }
});

function thrown(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return inspect(error, { depth: null });
  }
  throw new Error('nothing was thrown');
}
