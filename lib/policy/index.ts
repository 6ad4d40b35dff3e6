export { ANONYMOUS, type Caller, parseCaller } from './caller.ts';
export { type CompiledPolicy, compilePolicies } from './compile.ts';
export { defectText, type PolicyDefect, PolicyError } from './defect.ts';
export type { Condition, Effect, Level, Mode, PolicyDocument, Predicate } from './document.ts';
export {
  type Decision,
  type Denial,
  type DryRunHit,
  evaluate,
  type Permit,
  type PolicyRequest,
} from './evaluate.ts';
export { explain } from './explain.ts';
export type { Check, Explanation, RuleJudgement } from './explanation.ts';
export { type PolicySource, parsePolicies } from './parse.ts';
export { type PathTemplate, pathFlaw } from './path.ts';
