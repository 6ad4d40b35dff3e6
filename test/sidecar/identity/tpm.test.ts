import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { sized, u16, u32 } from '../../../lib/tpm/index.ts';
import { AcquireError } from '../../../sidecar/identity/acquire-error.ts';
import { openTpm } from '../../../sidecar/identity/tpm/tpm.ts';
import { type Babble, startBabblingTpm } from '../../fakes/babbling-tpm.ts';
import { seededRandom } from '../../support/der.ts';
import { type Attempts, createAttempts, failure } from './attempts.ts';

const response = (rc: number, body: Uint8Array = Buffer.of(), tag = 0x8001) =>
  Buffer.concat([u16(tag), u32(10 + body.length), u32(rc), body]);
const HANDLE_UNKNOWN = 0x18b;

describe('proving to be a machine with a TPM', () => {
  let at: Attempts;
  beforeEach(async () => {
    at = await createAttempts();
  });
  afterEach(() => at[Symbol.asyncDispose]());

  const against = async (babble: Babble) => {
    await using tpm = await startBabblingTpm(at.dir, babble);
    const spec = { method: 'tpm', place: { socket: tpm.socket }, ek: 'rsa' } as const;
    return await failure(at.acquirer(spec));
  };

  describe('says what is wrong where', () => {
    it('there is no TPM', async () => {
      for (const place of [{ device: join(at.dir, 'none') }, { socket: join(at.dir, 'none') }]) {
        const error = await failure(at.acquirer({ method: 'tpm', place, ek: 'rsa' }));
        assert.deepEqual([error.code, error.detail.reason], ['EVIDENCE_UNAVAILABLE', 'ENOENT']);
        assert.ok(error.message.includes(at.dir), error.message);
      }
    });
    it('a file stands in its place', async () => {
      const device = join(at.dir, 'file');
      await writeFile(device, '');
      const error = await failure(at.acquirer({ method: 'tpm', place: { device }, ek: 'rsa' }));
      assert.deepEqual([error.code, error.detail.reason], ['EVIDENCE_UNAVAILABLE', 'TPM_MALFORMED']);
    });
    it('it hangs up', async () => {
      const { code, message } = await against(() => 'end');
      assert.equal(code, 'EVIDENCE_UNAVAILABLE');
      assert.match(message, /does not answer/);
    });
    const refusals: [string, number, RegExp][] = [
      ['its endorsement hierarchy has a password', 0x9a2, /createPrimary: 0x9a2, a password is set/],
      ['it has no room', 0x902, /0x902, it has no room/],
      ['it is locked', 0x921, /0x921, it is locked/],
      ['it fails', 0x101, /0x101$/],
    ];
    for (const [what, rc, message] of refusals)
      it(what, async () => {
        const error = await against((_command, n) => response(n === 0 ? HANDLE_UNKNOWN : rc));
        assert.equal(error.code, 'EVIDENCE_UNAVAILABLE');
        assert.match(error.message, message);
      });
  });
  it('asks again while the TPM is busy', async () => {
    const error = await against((_command, n) => response(n < 3 ? 0x922 : 0x101));
    assert.match(error.message, /readPublic: 0x101/);
  });
  it('takes what is no response for none, whatever its bytes are', async () => {
    const random = seededRandom(5);
    const byte = () => Math.floor(random() * 256);
    const bodies = [
      () => Buffer.from(Array.from({ length: byte() }, byte)),
      () => sized(Buffer.from(Array.from({ length: byte() }, byte))),
      () => Buffer.concat([u32(0x80000000), u32(byte()), sized(Buffer.alloc(byte()))]),
    ];
    for (let i = 0; i < 300; i++) {
      await using tpm = await startBabblingTpm(at.dir, () => {
        const tag = random() < 0.5 ? 0x8001 : 0x8002;
        const bytes = response(random() < 0.8 ? 0 : 0x18b, bodies[i % 3]!(), random() < 0.9 ? tag : byte());
        return random() < 0.9 ? bytes : 'end';
      });
      const use = async () => {
        await using open = await openTpm({ socket: tpm.socket });
        const [ek, ak] = [await open.endorsementKey(i % 2 ? 'rsa' : 'ecc'), await open.attestationKey()];
        await open.certificate('rsa');
        await open.activate(ak, ek, Buffer.alloc(40), Buffer.alloc(40));
        await open.quote(ak, Buffer.alloc(32));
      };
      await use().catch((error: unknown) => assert.ok(error instanceof AcquireError, String(error)));
    }
  });
});
