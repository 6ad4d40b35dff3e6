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
export { type Csr, createCsr } from './csr.ts';
export { SvidError, type SvidErrorCode } from './error.ts';
export type { Extensions, KeyUsage } from './extension.ts';
export { pemToDer, toPem } from './pem.ts';
