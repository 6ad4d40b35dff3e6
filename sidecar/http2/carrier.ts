import type { Failure, RelayLimits, Side, Splice } from '../relay/index.ts';
import type { FieldList } from './fields.ts';

/** What carries one stream's exchange on, to an app or an upstream. */
export interface Carrier {
  /** Begins; what follows is told to the `Carried`. */
  start(): void;
  /** Hands on a piece of the request's body. @returns false when no more is wanted at present */
  forward(piece: Buffer): boolean;
  /** The request is complete. */
  finish(trailers: FieldList): void;
  /** The caller takes more of the response. */
  resume(): void;
  /** The request was not answered in time. It counts against who was asked; `abandon` follows. */
  tooLate(): void;
  /** Lets go: the caller has gone, or was answered without it. */
  abandon(): void;
}

/** The exchange, as its carrier sees it. */
export interface Carried {
  readonly limits: RelayLimits;
  readonly isHead: boolean;
  /** Names of the request whose values are not to be kept in tables. */
  readonly secrets: readonly string[];
  /** The request has a body, or had. */
  readonly hasBody: boolean;
  /** Trailers may follow the request's body. */
  readonly mayTrail: boolean;
  /** All of the request was handed on. */
  readonly requestSent: boolean;
  /** The request's head is on its way: its body may follow. */
  started(flowing: boolean): void;
  /** More of the request's body is wanted. */
  drained(): void;
  interim(fields: FieldList): void;
  /** The WebSocket that was asked for is granted by this answer: from now on it is spliced to `up`, `first` the first of it. */
  accepted(up: Side, fields: FieldList, first: Buffer): Splice;
  /** The response's head. `ends`: it is all of it. `mayTrail`: trailers may follow the body. */
  respond(fields: FieldList, ends: boolean, mayTrail: boolean): void;
  /** @returns false when the caller reads more slowly than we send */
  data(piece: Buffer): boolean;
  /** The response is complete. */
  done(trailers: FieldList): void;
  /** There will be no response, or no more of it. `unseen`: the other end has not acted on the request. */
  failed(failure: Failure, unseen: boolean): void;
  /** The other end reset the stream, by this code. */
  wasReset(code: number): void;
  /** The other end does not speak HTTP/2. */
  unspoken(): void;
}
