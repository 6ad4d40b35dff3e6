export { bodyClaim, isCovered, MOST_COVERED } from './body.ts';
export { type Channel, channelOf, EXPORTER_BYTES, EXPORTER_LABEL } from './channel.ts';
export type { ProofFault } from './fault.ts';
export { ProofJudge } from './judge.ts';
export { isEs256, isHs256, readJws } from './jws.ts';
export { MacKey } from './mac.ts';
export { ProofMaker } from './maker.ts';
export type { Mode } from './mode.ts';
export type { ProvenRequest } from './request.ts';
