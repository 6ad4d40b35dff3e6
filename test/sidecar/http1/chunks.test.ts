import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ChunkFollower, NEED_MORE } from '../../../sidecar/http1/index.ts';
import { cut } from './relayed.ts';

const chunk = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((data) => {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]);
});
const body = fc
  .tuple(fc.array(chunk, { maxLength: 6 }), fc.constantFrom('', 'Digest: a\r\n', 'A:\r\nB: c\r\n'))
  .map(([chunks, trailers]) => Buffer.concat([...chunks, Buffer.from(`0\r\n${trailers}\r\n`)]));

/** Where the follower says that the body ends, counted over all pieces; a refusal as it is. */
function follow(pieces: readonly Buffer[]): number {
  const follower = new ChunkFollower();
  let before = 0;
  for (const piece of pieces) {
    const result = follower.feed(piece, 0, piece.length);
    if (result !== NEED_MORE) return result < 0 ? result : before + result;
    before += piece.length;
  }
  return NEED_MORE;
}

describe('chunk follower', () => {
  it('ends a body where it ends, whatever follows and however it is cut', () => {
    fc.assert(
      fc.property(body, fc.uint8Array({ maxLength: 20 }), fc.nat(), fc.nat(), (bytes, after, x, y) => {
        const all = Buffer.concat([bytes, after]);
        const at = [x % all.length, y % all.length].sort((a, b) => a - b);
        assert.equal(follow([all]), bytes.length);
        assert.equal(follow(cut(all, ...at)), bytes.length);
        assert.equal(follow([...all].map((byte) => Buffer.from([byte]))), bytes.length);
      }),
      { seed: 7, numRuns: 2_000 },
    );
  });

  it('one outcome for damaged bodies too, however they are cut', () => {
    fc.assert(
      fc.property(body, fc.nat(), fc.nat(255), fc.nat(), (sound, where, byte, x) => {
        const bytes = Buffer.from(sound);
        bytes[where % bytes.length] = byte;
        const whole = follow([bytes]);
        assert.equal(follow(cut(bytes, x % bytes.length)), whole);
        assert.equal(follow([...bytes].map((b) => Buffer.from([b]))), whole);
      }),
      { seed: 7, numRuns: 4_000 },
    );
  });

  it('counts the body without its framing', () => {
    const follower = new ChunkFollower();
    const bytes = Buffer.from('5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n');
    follower.feed(bytes, 0, bytes.length);
    assert.equal(follower.bytes, 6);
  });

  it('is as new after reset, wherever it stood', () => {
    const follower = new ChunkFollower();
    const bytes = Buffer.from('5\r\nhello\r\n0\r\nA: b\r\n\r\n');
    for (let end = 0; end <= bytes.length; end++) {
      follower.reset();
      follower.feed(bytes, 0, end);
      follower.reset();
      assert.equal(follower.feed(bytes, 0, bytes.length), bytes.length);
    }
  });
});
