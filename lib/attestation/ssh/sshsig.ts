import { SshError } from './error.ts';
import type { SshIdentity, SshNamespace } from './identity.ts';

export function verifySshSignature(input: {
  armored: string;
  namespace: SshNamespace;
  message: Uint8Array;
  now: Date;
}): SshIdentity {
  throw new SshError('SSH_UNSUPPORTED', `no key type is accepted in ${input.namespace}`);
}
