export { audit } from './audit.ts';
export { killSwitch, rotation, theft } from './identity.ts';
export { grpc, http2, type Judged, tcp, webSocket } from './protocols.ts';
export { allowed, denied, strangerRefused } from './requests.ts';
export type { Shown } from './shown.ts';
