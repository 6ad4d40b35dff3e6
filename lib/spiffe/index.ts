export {
  isReserved,
  parseSpiffeId,
  parseTrustDomain,
  SpiffeError,
  type SpiffeErrorCode,
  SpiffeId,
} from './id.ts';
export {
  type IdPattern,
  isIdSegment,
  matchesPattern,
  parseIdPattern,
  parseTargetPattern,
} from './pattern.ts';
