export { type Actual, readActual, readLayoutDocument } from './actual.ts';
export { type Applied, type ApplyOptions, applyLayout } from './apply.ts';
export { type Examination, examineVault, type Finding, type Report } from './doctor/index.ts';
export { type Layout, layoutDocument, parseLayout, type Tenant } from './layout.ts';
export { type Change, type PlannedChange, type PlanOptions, planLayout } from './plan.ts';
export type { OnDenied, VaultPort } from './port.ts';
