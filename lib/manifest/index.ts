export {
  type Claim,
  type DeliveredDocument,
  textHash,
  type VerifiedSet,
  verifyDelivery,
  verifyDenylist,
} from './delivery.ts';
export {
  denylistText,
  MOST_DENIED,
  parseSignedDenylist,
  type SignedDenylist,
  serialForm,
} from './denylist.ts';
export { DeliveryError, type DeliveryErrorCode, type Kind } from './error.ts';
export {
  type Manifest,
  type ManifestEntry,
  MOST_DOCUMENTS,
  MOST_MANIFEST_CHARS,
  manifestText,
  parseManifest,
} from './manifest.ts';
export { type Sealed, sealedBytes, type Trust } from './signature.ts';
export { concerns } from './target.ts';
