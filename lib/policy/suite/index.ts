export { Coverage, type UncoveredRule } from './coverage.ts';
export { parseClaims, parseRequest, parseUser } from './given.ts';
export { type GivenRequest, policyRequest } from './request.ts';
export { type Failure, type Outcome, runSuite } from './run.ts';
export { parseSuite, type Suite } from './suite.ts';
