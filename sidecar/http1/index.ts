export { BodyFollower } from './body.ts';
export { ChunkFollower } from './chunks.ts';
export { droppedValue, fieldValues, isAliased } from './field-lines.ts';
export { type Fields, MOST_FIELDS } from './fields.ts';
export { HEAD_LIMITS, type HeadLimits } from './limits.ts';
export { isTrailerName } from './names.ts';
export { PROBLEM_TYPE, type Problem, problemDocument, problemResponse } from './problem.ts';
export {
  BODY_LARGE,
  NEED_MORE,
  type Refusal,
  refusalOf,
  UPGRADE_PIPELINED,
} from './refusal.ts';
export { RequestHead, scanRequest } from './request.ts';
export { ResponseHead, scanResponse } from './response.ts';
export { readTarget, Target } from './target.ts';
export { dropTraceFields, readTraceFields, type TraceFields } from './trace-fields.ts';
export { agreesTo, choosesFrom, readOffer, UPGRADE_LINES, type WebSocketOffer } from './websocket.ts';
export { CONNECTION_CLOSE, type Framing, HeadWriter, LAST_CHUNK, NOTHING } from './writer.ts';
