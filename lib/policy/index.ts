export { type CompiledPolicy, compilePolicies } from './compile.ts';
export type { Condition, Effect, Level, Mode, PolicyDocument, Predicate } from './document.ts';
export {
  type Decision,
  type Denial,
  type DryRunHit,
  evaluate,
  type Permit,
  type PolicyRequest,
} from './evaluate.ts';
export { type Check, type Explanation, explain, type RuleJudgement } from './explain.ts';
export { type PolicyDefect, PolicyError, type PolicySource, parsePolicies } from './parse.ts';
