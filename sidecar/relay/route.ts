import type { Problem, RequestHead } from '../http1/index.ts';
import type { Connection, Pool } from './pool.ts';
import type { Watch } from './tally.ts';

/**
 * Adds header lines of ours to a request, last thing before it is sent on `connection` and with that very connection at hand. Returns whole
 * lines, each with its CRLF. From `head` it may leave out lines that came.
 */
export type RequestTransformer = (head: RequestHead, connection: Connection) => Buffer;

/** Where a request that may pass goes. Made once per caller or per upstream, not per request. */
export class Route {
  readonly pool: Pool;
  /** Whole header lines added to every request. */
  readonly append: Buffer;
  readonly transformers: readonly RequestTransformer[];
  constructor(pool: Pool, append: Buffer, transformers: readonly RequestTransformer[] = []) {
    this.pool = pool;
    this.append = append;
    this.transformers = transformers;
  }

  /** The same way with more lines of ours, for one request; `first` comes before the other transformers. */
  plus(lines: Buffer, first: readonly RequestTransformer[] = []): Route {
    return new Route(this.pool, Buffer.concat([this.append, lines]), [...first, ...this.transformers]);
  }

  /** The header lines of ours for one request, last thing before it is sent on `connection`. */
  linesFor(head: RequestHead, connection: Connection): Buffer {
    const { transformers } = this;
    let own = this.append;
    for (let i = 0; i < transformers.length; i++) {
      const more = transformers[i]!(head, connection);
      own = own.length === 0 ? more : Buffer.concat([own, more]);
    }
    return own;
  }
}

/** Names and values of header fields. */
export type HeaderFields = readonly (readonly [name: string, value: string])[];

/** The answer to a request that may not pass. */
export class Refused {
  readonly problem: Problem;
  /** Whether the connection ends with it. */
  readonly close: boolean;
  /** Header fields that tell the caller what to do, such as `www-authenticate`. */
  readonly fields: HeaderFields;
  constructor(problem: Problem, close = false, fields: HeaderFields = []) {
    this.problem = problem;
    this.close = close;
    this.fields = fields;
  }
}

/**
 * There is no judgement yet: something it needs is on its way. When `settled` is, the same request is judged again, from the beginning. It
 * never rejects, and settles within seconds whatever happens.
 */
export class Pending {
  readonly settled: Promise<void>;
  constructor(settled: Promise<void>) {
    this.settled = settled;
  }
}

/** How a connection that was spliced through came to its end. Bytes of `received` came from the one who connected to us. */
export type SpliceEnd = {
  readonly received: number;
  readonly sent: number;
  readonly ms: number;
  readonly reason: 'ended' | 'broken' | 'idle' | 'drained' | 'cut';
};

/** Stands before one accepted connection. */
export interface Gate {
  /** By this the connections of one peer are counted together; null: by where they come from. */
  readonly peer: string | null;
  /**
   * Whether a request is to be judged with its body, whose length its head tells: then `admit` is called once all of it stands behind the
   * head, and not before. Left out: none is.
   */
  gathers?(head: RequestHead): boolean;
  /** Judges a request by its head, before one byte of it goes anywhere. The head is good until the call returns. */
  admit(head: RequestHead): Route | Refused | Pending;
  /** Told of a request that was refused for its form: it reached no judgement. */
  malformed(code: string): void;
  /** Why this connection's peer may not stay, or null while it may. */
  standing(): string | null;
  /** The name of the decision by which what was admitted last passed; empty where nothing is recorded. */
  readonly passed: string;
  /** Accompanies what was judged last, passed or refused. Null, or left out, where nobody observes. */
  readonly watch?: Watch | null;
  /**
   * Told that what passed by `decision` is spliced through from now on, and how that is cut when it may not stay. What it returns is called
   * once, at the end.
   */
  spliced(protocol: string, decision: string, cut: () => void): (end: SpliceEnd) => void;
}
