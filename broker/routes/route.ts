import type { Secret } from '../../lib/secret.ts';
import type { Connection } from '../connection.ts';
import type { RateLimit } from '../limits.ts';
import type { ProblemCode } from '../problem.ts';

/** One operation of the API: what the OpenAPI document says of it, and what does it. The router has these and no others. */
export type Route = {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** As in the document: `/v1/entries/{tenant}/{name}`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, string>>;
  /** The schema of its body. A body that does not fit never reaches `handle`. */
  readonly body?: { readonly schema: string; readonly required: boolean };
  /** How often one source may come, where that is not as often as to all other routes together. */
  readonly rate?: RateLimit;
  /**
   * For a body larger than others may be. Before any of it is read, `admit` says whether this caller may send it, and `hold` makes room for
   * so many bytes; what it gives back is called when the request is over.
   */
  readonly large?: {
    readonly bytes: number;
    admit?(connection: Connection): Promise<void> | void;
    hold?(connection: Connection, bytes: number): () => void;
  };
  /** Needs a Vault token in `X-Vault-Token`. */
  readonly withToken?: boolean;
  /** The schema of each good answer by its status; null where there is no body. */
  readonly answers: Readonly<Record<number, string | null>>;
  readonly problems: readonly ProblemCode[];
  handle(request: RouteRequest): Promise<Answer> | Answer;
};

export type RouteRequest = {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Fits the route's schema. */
  readonly body: unknown;
  /** There if the route is `withToken`. */
  readonly token: Secret;
  readonly connection: Connection;
  readonly correlationId: string;
};

export type Answer = { readonly status: number; readonly body?: object };
