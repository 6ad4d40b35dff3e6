export {
  type Bundle,
  type BundleJwks,
  bundleToJwks,
  bundleToPem,
  newerBundle,
  parseBundle,
} from './bundle.ts';
export {
  type CertificateInfo,
  MAX_CERTIFICATE_BYTES,
  readCertificate,
  type San,
  type SanKind,
} from './certificate.ts';
export { checkPath, readChain } from './chain.ts';
export {
  type CheckedLeaf,
  checkLeaf,
  checkPeer,
  checkSvid,
  type LeafCheck,
  type PeerRules,
  type PeerSvid,
} from './check.ts';
export { type Crl, MAX_CRL_BYTES, readCrl } from './crl.ts';
export { type Csr, createCsr } from './csr.ts';
export { childrenOf, type DerNode, oidText, parseDer, TAG } from './der.ts';
export { SvidError, type SvidErrorCode } from './error.ts';
export type { Extensions, KeyUsage } from './extension.ts';
export { fromBase64, pemToDer, toPem } from './pem.ts';
export { isAcceptedSignature, verifySigned } from './signature.ts';
