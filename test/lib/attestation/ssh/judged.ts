import assert from 'node:assert/strict';
import { it } from 'mocha';
import { SshError, type SshErrorCode, verifySshSignature } from '../../../../lib/attestation/ssh/index.ts';

export const MESSAGE = 'signet-attest-v1\nexample.org\nchallenge\n00ff\n';
const NOW = new Date(1_750_000_000_000);

export const verify = (armored: string, now = NOW) =>
  verifySshSignature({ armored, namespace: 'signet-attest-v1', message: Buffer.from(MESSAGE), now });

/** `accepted`, or the code of the refusal; nothing but an SshError may be thrown. */
export function verdict(run: () => unknown): SshErrorCode | 'accepted' {
  try {
    run();
    return 'accepted';
  } catch (error) {
    assert.ok(error instanceof SshError, String(error));
    return error.code;
  }
}

/** One test a case: what it is, the code it is refused with, the armoured signature. */
export function itRefuses(cases: readonly (readonly [string, SshErrorCode, () => string])[]): void {
  for (const [what, code, make] of cases) {
    it(`refuses ${what}: ${code}`, () => {
      const armored = make();
      assert.equal(
        verdict(() => verify(armored)),
        code,
      );
    });
  }
}
