export {
  isReserved,
  parseSpiffeId,
  parseTrustDomain,
  SpiffeError,
  type SpiffeErrorCode,
  SpiffeId,
} from './id.ts';
export { type IdPattern, isIdSegment, matchesPattern, parseIdPattern } from './pattern.ts';
