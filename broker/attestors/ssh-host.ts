import { SshError, type SshIdentity, selectors, verifySshSignature } from '../../lib/attestation/index.ts';
import { AttestationError, type Attestor } from './attestor.ts';

/**
 * A host proves itself with its SSH host key: an SSHSIG over the proof. The entry pins the key (`ssh-host:key`) or the host CA
 * (`ssh-host:ca`, then `ssh-host:principal` says which of its hosts). It needs nothing written down, and so it works again after any
 * reboot or outage.
 */
export const sshHost: Attestor = {
  method: 'ssh-host',
  evidence: {
    type: 'object',
    properties: {
      signature: {
        type: 'string',
        maxLength: 32_768,
        pattern: '^-----BEGIN SSH SIGNATURE-----',
        description: 'armoured SSHSIG of the proof message, namespace signet-attest-v1',
      },
    },
    required: ['signature'],
    additionalProperties: false,
  },
  async verify(evidence, { proof, now }) {
    const { signature } = evidence as { signature: string };
    let identity: SshIdentity;
    try {
      identity = verifySshSignature({
        armored: signature,
        namespace: 'signet-attest-v1',
        message: proof,
        now,
      });
    } catch (cause) {
      if (!(cause instanceof SshError)) throw cause;
      throw new AttestationError('EVIDENCE_INVALID', `${cause.code}: ${cause.message}`, { cause });
    }
    return {
      selectors: selectors({
        'ssh-host:key': identity.keyFingerprint,
        'ssh-host:ca': identity.certificate?.caFingerprint,
        'ssh-host:principal': identity.certificate?.principals,
      }),
    };
  },
  entryDefects({ match }) {
    if ('ssh-host:key' in match || 'ssh-host:ca' in match) return [];
    return [
      {
        pointer: '/match',
        message: 'pins neither ssh-host:key nor ssh-host:ca: anyone can make a host certificate',
      },
    ];
  },
};
