export {
  CONTENT_ENCRYPTIONS,
  KEY_ENCRYPTIONS,
  PUBLIC_SIGNATURES,
  SECRET_SIGNATURES,
  USUAL_CONTENT_ENCRYPTIONS,
  USUAL_KEY_ENCRYPTIONS,
  USUAL_SIGNATURES,
} from './algorithms.ts';
export { boundsFault, type ClaimRules, claimsFault } from './claims.ts';
export {
  claimsOf,
  LONGEST_TOKEN,
  type OpaqueToken,
  readToken,
  type SealedToken,
  type SignedToken,
} from './compact.ts';
export { Fault, type FaultCode, invalid } from './fault.ts';
export { isObject, type JsonObject } from './json.ts';
export { type KeySet, KeySetError, readKeySet, type VerificationKey } from './keys.ts';
export { type ClaimPlaces, USUAL_PLACES, type User, userOf } from './user.ts';
export { type OpeningKey, openToken, verifySignature } from './verify.ts';
