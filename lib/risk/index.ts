export { Baseline, type Outcome, type Report } from './baseline.ts';
export { parseRiskRules } from './parse.ts';
export { routeOf } from './route.ts';
export type { InputName, RiskRules } from './rules.ts';
export { type Question, type Score, type ScoreReason, scoreOf } from './score.ts';
