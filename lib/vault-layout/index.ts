export { type Actual, everyResource, readActual, readLayoutDocument } from './actual.ts';
export { type Applied, type ApplyOptions, applyLayout } from './apply.ts';
export { SEEDS } from './desired/index.ts';
export { type Examination, examineVault, type Finding, type Report } from './doctor/index.ts';
export { type Layout, layoutDocument, parseLayout, type Tenant } from './layout.ts';
export { type Change, type PlannedChange, type PlanOptions, planLayout } from './plan.ts';
export { aclPolicies } from './policies/index.ts';
export type { OnDenied, VaultPort } from './port.ts';
