export { ASSERTION_SECONDS, ASSERTION_TYPE, type Assertion, assertionClaims } from './assertion.ts';
export { AssertionError, type AssertionErrorCode } from './error.ts';
export { type Jwk, type Jwks, publicJwk } from './jwk.ts';
export { type Jws, jwsHeader, makeJws } from './jws.ts';
export {
  MOST_SERVICES,
  mayPass,
  NO_ORIGIN,
  type Origin,
  type OriginUser,
  passedBy,
} from './origin.ts';
export {
  type Believed,
  type Between,
  makeTransaction,
  makeTxnToken,
  readTransaction,
  type Signer,
  signerOf,
  transactionHeader,
  verifyTransaction,
  verifyTxnToken,
} from './transaction.ts';
export { type UserFields, userFields } from './user-fields.ts';
