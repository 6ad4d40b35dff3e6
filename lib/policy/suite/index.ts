export { Coverage, type UncoveredRule } from './coverage.ts';
export { type Failure, type Outcome, runSuite } from './run.ts';
export { parseSuite, type Suite } from './suite.ts';
