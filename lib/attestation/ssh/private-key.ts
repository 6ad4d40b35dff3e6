import { SshError } from './error.ts';
import type { SshSigner } from './identity.ts';

export function parseSshPrivateKey(_text: string, _certificateText?: string): SshSigner {
  throw new SshError('SSH_UNSUPPORTED', 'no key type is accepted');
}
