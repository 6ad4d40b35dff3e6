import { SshError } from './error.ts';

export function parseSshPublicKey(_line: string): { fingerprint: string; type: string } {
  throw new SshError('SSH_UNSUPPORTED', 'no key type is accepted');
}
