export {
  type Challenge,
  ChallengeError,
  type ChallengeErrorCode,
  mintChallenge,
  openChallenge,
} from './challenge.ts';
export {
  ENTRY_STATES,
  type Entry,
  type EntryState,
  entryRef,
  isEntryName,
  parseEntry,
  parseEntryRef,
  parseTenant,
} from './entry.ts';
export { type Instance, judgeRenewal, parseInstance, type Renewal, type RenewalVerdict } from './instance.ts';
export { formatJoinCode, type JoinCode, parseJoinCode } from './join-code.ts';
export { type Consideration, type MatchOutcome, matchEntries, overlapping } from './match.ts';
export { proofMessage } from './proof.ts';
export { parseSelectorKey, type Selectors, selectors } from './selectors.ts';
export {
  parseSshPrivateKey,
  parseSshPublicKey,
  SshError,
  type SshErrorCode,
  type SshIdentity,
  type SshSigner,
  verifySshSignature,
} from './ssh/index.ts';
export { aliasPattern, type IdTemplate, parseIdTemplate, renderId } from './template.ts';
