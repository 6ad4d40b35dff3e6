import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { MacKey } from '../../../lib/fingerprint/index.ts';

describe('the key of a connection', () => {
  it('makes what any other HMAC-SHA-256 makes', () => {
    for (const [bytes, chars] of [
      [32, 0],
      [1, 1],
      [64, 55],
      [32, 300],
      [32, 64],
      [0, 16_384],
    ] as const) {
      const [key, text] = [randomBytes(bytes), randomBytes(chars).toString('base64url').slice(0, chars)];
      const hmac = createHmac('sha256', key).update(text).digest();
      assert.equal(new MacKey(key).mac(text, 'base64url'), hmac.toString('base64url'));
      assert.equal(new MacKey(key).isMac(hmac, text), true);
      hmac[31]! ^= 1;
      assert.equal(new MacKey(key).isMac(hmac, text), false);
      assert.equal(new MacKey(key).isMac(hmac.subarray(1), text), false);
    }
  });

  it('refuses more than it has room for, and shows nothing of itself', () => {
    const key = new MacKey(randomBytes(32));
    assert.throws(() => key.mac('x'.repeat(16_385), 'latin1'), RangeError);
    assert.equal(inspect({ key }), '{ key: [redacted] }');
    assert.equal(JSON.stringify({ key }), '{"key":{}}');
  });
});
