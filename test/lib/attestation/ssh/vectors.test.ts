import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { SshError, verifySshSignature } from '../../../../lib/attestation/ssh/index.ts';
import { readVectors } from './vectors.ts';

describe('SSH signatures kept from ssh-keygen', () => {
  for (const vector of readVectors()) {
    const verify = () =>
      verifySshSignature({
        armored: vector.armored,
        namespace: 'signet-attest-v1',
        message: Buffer.from(vector.message),
        now: new Date(vector.now),
      });
    it('identity' in vector ? `verifies ${vector.name}` : `refuses ${vector.name}: ${vector.error}`, () => {
      if ('identity' in vector) return assert.deepEqual(verify(), vector.identity);
      assert.throws(verify, (error) => error instanceof SshError && error.code === vector.error);
    });
  }
});
