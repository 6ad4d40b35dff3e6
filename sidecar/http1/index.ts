export { ChunkFollower } from './chunks.ts';
export type { Fields } from './fields.ts';
export { HEAD_LIMITS, type HeadLimits } from './limits.ts';
export { type Problem, problemResponse } from './problem.ts';
export { BODY_LARGE, FRAMED_TWICE, NEED_MORE, type Refusal, refusalOf } from './refusal.ts';
export { RequestHead, scanRequest } from './request.ts';
export { ResponseHead, scanResponse } from './response.ts';
export { readTarget, Target } from './target.ts';
export { CONNECTION_CLOSE, type Framing, HeadWriter, LAST_CHUNK, NOTHING } from './writer.ts';
