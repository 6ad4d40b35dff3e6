import { NEVER, type Relay } from '../relay/index.ts';
import { grpcTimeoutMs } from './grpc.ts';

/** A gRPC deadline is the two ends' affair; we end what they should have ended, so much later. */
const DEADLINE_GRACE_MS = 1_000;

/** What a stream waits for. */
export type Wait = {
  /** One side waits for the other to read, or its answer to leave. */
  readonly stalled: boolean;
  /** The request is complete and there is no answer yet. */
  readonly unanswered: boolean;
};

/** How long a stream is waited for, with the next thing and as a whole. */
export class Patience {
  private readonly relay: Relay;
  private readonly grpc: boolean;
  private next = NEVER;
  private whole = NEVER;

  constructor(relay: Relay, grpc: boolean) {
    this.relay = relay;
    this.grpc = grpc;
  }

  begin(grpcTimeout: string | undefined): void {
    const { limits, ticker } = this.relay;
    const timeoutMs = this.grpc ? grpcTimeoutMs(grpcTimeout) : Number.POSITIVE_INFINITY;
    const wholeMs = limits.wholeMs === 0 ? Number.POSITIVE_INFINITY : limits.wholeMs;
    this.whole = ticker.in(Math.min(wholeMs, timeoutMs + DEADLINE_GRACE_MS));
  }

  /** A connection is waited for, which has its own time. */
  suspend(): void {
    this.next = NEVER;
  }

  /** Something moved: the wait begins anew. */
  wait({ stalled, unanswered }: Wait): void {
    const { limits, ticker } = this.relay;
    // a stream of gRPC may be quiet for as long as its ends like
    this.next = this.grpc && !stalled ? NEVER : ticker.in(unanswered ? limits.responseMs : limits.stallMs);
  }

  /** Whether the next thing has taken too long. */
  isLate(now: number): boolean {
    return now >= this.next;
  }

  /** Whether all of it has. */
  isOver(now: number): boolean {
    return now >= this.whole;
  }
}
