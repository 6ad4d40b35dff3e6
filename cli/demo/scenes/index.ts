export { audit } from './audit.ts';
export { dryRun, endUser } from './decisions.ts';
export { killSwitch, rotation, theft } from './identity.ts';
export { livePolicy, policyDiff } from './policies.ts';
export { grpc, http2, type Judged, tcp, webSocket } from './protocols.ts';
export { replay } from './replay.ts';
export { allowed, denied, strangerRefused } from './requests.ts';
export type { Shown } from './shown.ts';
export { trace } from './trace.ts';
