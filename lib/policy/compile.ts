import type { SpiffeId } from '../spiffe/index.ts';
import type { PolicyDocument } from './document.ts';

/** A policy set compiled for one target. Immutable, opaque. */
export type CompiledPolicy = {
  readonly target: SpiffeId;
  /** How many documents concern the target. */
  readonly size: number;
  /** Hex SHA-256 over those documents; does not depend on their order. */
  readonly digest: string;
};
export declare function compilePolicies(
  documents: readonly PolicyDocument[],
  target: SpiffeId,
): CompiledPolicy;
