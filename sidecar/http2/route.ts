import { type Pool, type RequestTransformer, Route } from '../relay/index.ts';
import type { Sessions } from './sessions.ts';

/** A route on which streams are carried by HTTP/2 where the other end speaks it. */
export class Http2Route extends Route {
  readonly sessions: Sessions;
  constructor(
    pool: Pool,
    sessions: Sessions,
    append: Buffer,
    transformers: readonly RequestTransformer[] = [],
  ) {
    super(pool, append, transformers);
    this.sessions = sessions;
  }

  override plus(lines: Buffer, first: readonly RequestTransformer[] = []): Http2Route {
    const { pool, sessions, append, transformers } = this;
    return new Http2Route(pool, sessions, Buffer.concat([append, lines]), [...first, ...transformers]);
  }
}
