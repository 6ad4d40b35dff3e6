export {
  type Bundle,
  type BundleJwks,
  bundleToJwks,
  bundleToPem,
  newerBundle,
  parseBundle,
  pemToDer,
} from './bundle.ts';
export { type CertificateInfo, readCertificate, type San, type SanKind } from './certificate.ts';
export {
  type CheckedLeaf,
  checkLeaf,
  checkPeer,
  type LeafCheck,
  type PeerRules,
  type PeerSvid,
} from './check.ts';
export { type Csr, createCsr } from './csr.ts';
export { SvidError, type SvidErrorCode } from './error.ts';
