import { SignetError } from '../errors.ts';

/** Why what a broker delivered is not taken; what was in force before stays. */
export type DeliveryErrorCode =
  | 'delivery_malformed'
  | 'manifest_malformed'
  | 'manifest_chain'
  | 'manifest_signature'
  | 'manifest_foreign'
  | 'manifest_rollback'
  | 'manifest_incomplete'
  | 'document_unlisted'
  | 'document_hash'
  | 'denylist_malformed'
  | 'denylist_chain'
  | 'denylist_signature'
  | 'denylist_foreign'
  | 'denylist_rollback';

export class DeliveryError extends SignetError<DeliveryErrorCode> {
  override readonly name = 'DeliveryError';
}

/** The two things that are published under one key, each with names of its own for what is wrong with it. */
export type Kind = 'manifest' | 'denylist';
