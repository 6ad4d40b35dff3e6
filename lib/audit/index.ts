export {
  type Appended,
  type AuditSigner,
  CHECKPOINT_INTERVAL_MS,
  CHECKPOINT_RECORDS,
  type Chain,
  type ChainState,
  createChain,
} from './chain.ts';
export { AuditError, type AuditErrorCode, type AuditEvent, type AuditType } from './record.ts';
export { RESUME_TAIL_BYTES, type Resumed, resumeFrom } from './resume.ts';
