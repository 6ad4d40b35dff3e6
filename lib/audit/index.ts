export {
  type Appended,
  CHECKPOINT_RECORDS,
  type Chain,
  type ChainState,
  createChain,
} from './chain.ts';
export { collect, NOTHING_COLLECTED, type Sealed, type Standing } from './collect.ts';
export {
  type Countersignature,
  type Countersigners,
  countersignatureLine,
  readCountersignature,
  readCountersigners,
  type Statement,
  statementBytes,
} from './countersignature.ts';
export { type FileHead, HEAD_BYTES, headOf, orderFiles, rotatedName, rotatedSeq } from './file-order.ts';
export { LineSplitter } from './lines.ts';
export {
  AuditError,
  type AuditErrorCode,
  type AuditEvent,
  type AuditRecord,
  type AuditType,
  MAX_LINE_BYTES,
  readRecord,
} from './record.ts';
export { type AuditReport, type Finding, type FindingKind, findingText, reportText } from './report.ts';
export { RESUME_TAIL_BYTES, type Resumed, resumeFrom } from './resume.ts';
export { type AuditSigner, GENESIS, readSeal } from './seal.ts';
export { type FieldText, fieldText, type RecordText, recordText, textField, withFields } from './text.ts';
export { createVerifier, type Verifier, type VerifyOptions } from './verify.ts';
