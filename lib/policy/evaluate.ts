import type { SpiffeId } from '../spiffe/index.ts';
import type { CompiledPolicy } from './compile.ts';
import type { Effect, Level } from './document.ts';

/** What policy judges. `path` is the canonical path, without query; `method` as sent. */
export type PolicyRequest = { readonly caller: SpiffeId; readonly method: string; readonly path: string };

/** A dry-run rule whose condition held. It never changes the decision. */
export type DryRunHit = { readonly rule: string; readonly level: Level; readonly effect: Effect };

export type Permit = {
  readonly effect: 'allow';
  readonly rule: string;
  readonly level: Level;
  readonly dryRun: readonly DryRunHit[];
  /** The effect if dry-run rules were enforced. */
  readonly wouldBe: Effect;
};
export type Denial = {
  readonly effect: 'deny';
  /** `no_rule`: nothing allowed it. `policy_denied`: the rule named denied it. */
  readonly code: 'policy_denied' | 'no_rule';
  readonly rule: string | null;
  readonly level: Level | null;
  readonly dryRun: readonly DryRunHit[];
  readonly wouldBe: Effect;
};
export type Decision = Permit | Denial;

/** The hot path: no explanation is built. Never throws. */
export declare function evaluate(policy: CompiledPolicy, request: PolicyRequest): Decision;
