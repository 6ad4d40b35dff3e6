export {
  type Appended,
  CHECKPOINT_RECORDS,
  type Chain,
  type ChainState,
  createChain,
} from './chain.ts';
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
export { type AuditReport, type Finding, type FindingKind, reportText } from './report.ts';
export { RESUME_TAIL_BYTES, type Resumed, resumeFrom } from './resume.ts';
export { type AuditSigner, GENESIS } from './seal.ts';
export { type FieldText, fieldText, type RecordText, recordText, textField, withFields } from './text.ts';
export { createVerifier, type Verifier, type VerifyOptions } from './verify.ts';
