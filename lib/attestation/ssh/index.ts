export { SshError, type SshErrorCode } from './error.ts';
export type { SshCertificate, SshIdentity, SshNamespace, SshSigner } from './identity.ts';
export { parseSshPrivateKey } from './private-key.ts';
export { parseSshPublicKey } from './public-line.ts';
export { verifySshSignature } from './sshsig.ts';
