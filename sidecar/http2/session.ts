import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  constants,
} from 'node:http2';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Balance, Connection, Failure, RelayLimits, Ticker } from '../relay/index.ts';
import type { FieldList } from './fields.ts';
import { Heartbeat } from './heartbeat.ts';
import { CONNECTION_WINDOW, clientOptions, STREAMS } from './limits.ts';

/** A stream to be, that waits for a connection. */
export interface Waiting {
  /** Addresses that were tried for it. */
  readonly tried: Set<number>;
  /** The last of them was tried once more, after it cut the first connection. */
  again: boolean;
  /** It can be begun only with what the other end says of extended CONNECT (RFC 8441 §3). */
  readonly tunnels: boolean;
  connected(session: Session): void;
  unreachable(failure: Failure): void;
  /** The other end does not speak HTTP/2. */
  unspoken(): void;
}

/** Whom a connection tells of its fate. */
export interface SessionOwner {
  readonly limits: RelayLimits;
  readonly ticker: Ticker;
  readonly balance: Balance;
  /** It takes no new streams, from now on; those it has may still end. */
  closing(session: Session): void;
  /** It is gone. */
  lost(session: Session): void;
  /** It came about, and the other end speaks HTTP/1.1 alone. */
  unspoken(session: Session): void;
}

/** RFC 9113 §5.1.1: the last stream a client can begin is 2^31 - 1. */
const LAST_REQUEST = 2 ** 30 - 1_000;

/** A connection that we made and that speaks HTTP/2, or is about to. */
export class Session implements Connection {
  readonly socket: Socket;
  readonly address: number;
  readonly scheme: 'http' | 'https';
  readonly waiting = new Set<Waiting>();
  /** The other end has spoken: it accepted our certificate too, which TLS 1.3 alone does not tell. */
  proven = false;
  /** The other end takes extended CONNECT. */
  tunnels = false;
  answered = false;
  private readonly owner: SessionOwner;
  private session: ClientHttp2Session | null = null;
  private heartbeat: Heartbeat | null = null;
  private streams = 0;
  private requests = 0;
  private most = STREAMS;
  private lastSeen = Number.POSITIVE_INFINITY;
  private error: string | null = null;
  private closing = false;
  private isLost = false;
  private deadline: number;
  /** When the other end has to have spoken, for those who wait for that. */
  private readonly settledBy: number;

  constructor(owner: SessionOwner, address: number, socket: Socket, readyEvent: 'connect' | 'secureConnect') {
    this.owner = owner;
    this.address = address;
    this.socket = socket;
    this.scheme = readyEvent === 'connect' ? 'http' : 'https';
    this.deadline = owner.ticker.in(owner.limits.connectMs);
    this.settledBy = this.deadline;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.note(error.code);
      // under HTTP/2 a socket may fail, by an alert for one, and never close
      setImmediate(() => this.lose());
    });
    socket.on('close', () => this.lose());
    socket.once(readyEvent, () => this.speak());
  }

  /** Streams on it and streams that wait for it. */
  get load(): number {
    return this.streams + this.waiting.size;
  }

  get hasRoom(): boolean {
    return !this.closing && !this.isLost && this.load < this.most && !(this.isOpen && this.failure !== null);
  }

  get isOpen(): boolean {
    return this.session !== null;
  }

  /** Whether it can begin now. */
  canServe({ tunnels }: Waiting): boolean {
    return this.isOpen && (this.proven || !tunnels);
  }

  /** Why it can carry nothing any more, null while it can. */
  get failure(): string | null {
    const gone = this.session === null || this.session.destroyed || this.socket.destroyed;
    return gone ? (this.error ?? 'closed') : null;
  }

  /** The failure of one that never came about. */
  get unreachable(): Failure {
    const cause = this.error ?? 'closed';
    if (this.isOpen) return { kind: 'closed', cause, reused: false };
    return { kind: cause === TIMEOUT ? 'connect-timeout' : 'connect', cause, reused: false };
  }

  /** It failed before it could carry anything, and nobody wanted it to end, or there are those who waited for it. */
  get neverStood(): boolean {
    return this.isOpen ? this.waiting.size > 0 : !this.closing;
  }

  /** Once it stands, it is for this one too. */
  queue(waiting: Waiting): void {
    this.waiting.add(waiting);
    this.owner.balance.began(this.address);
  }

  forsake(waiting: Waiting): void {
    if (this.waiting.delete(waiting)) this.owner.balance.ended(this.address);
  }

  request(fields: FieldList, options: ClientSessionRequestOptions): ClientHttp2Stream {
    this.streams++;
    this.owner.balance.began(this.address);
    if (++this.requests > LAST_REQUEST) this.retire();
    // its types know field lists as objects only
    return this.session!.request(fields as unknown as Record<string, string>, options);
  }

  /** A stream of it has ended. */
  release(): void {
    this.streams--;
    this.owner.balance.ended(this.address);
    if (this.load > 0) return;
    if (this.closing) this.end();
    else this.deadline = this.owner.ticker.in(this.owner.limits.poolIdleMs);
  }

  /** Whether the other end has not acted on a stream, and will not. */
  neverSaw(stream: number | undefined): boolean {
    return stream === undefined || stream > this.lastSeen;
  }

  /** Takes no new streams and ends with the last it has. */
  retire(): void {
    if (this.closing) return;
    this.closing = true;
    this.owner.closing(this);
    if (this.load === 0) this.end();
  }

  destroy(cause: string): void {
    this.note(cause);
    this.socket.destroy();
  }

  sweep(now: number): void {
    const { ticker, limits } = this.owner;
    if (this.session === null) {
      if (now >= this.deadline) this.destroy(TIMEOUT);
    } else if (this.load > 0) {
      if (now >= this.settledBy) this.sendAway();
      if (!this.heartbeat!.beat(now, () => ticker.in(limits.pingMs))) this.destroy('unresponsive');
    } else if (now >= this.deadline) {
      if (this.closing) this.socket.destroy();
      else this.retire();
    }
  }

  private speak(): void {
    const { socket, owner } = this;
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      owner.unspoken(this);
      return;
    }
    const session = connect('http://signet', {
      ...clientOptions(owner.limits.head),
      createConnection: () => socket,
    });
    session.setLocalWindowSize(CONNECTION_WINDOW);
    this.session = session;
    this.heartbeat = new Heartbeat(session, owner.ticker.in(owner.limits.pingMs));
    this.deadline = owner.ticker.in(owner.limits.poolIdleMs);
    session.on('error', (error: NodeJS.ErrnoException) => this.note(error.code));
    session.on('remoteSettings', ({ maxConcurrentStreams = STREAMS, enableConnectProtocol }) => {
      this.proven = true;
      this.tunnels = enableConnectProtocol === true;
      this.most = Math.min(maxConcurrentStreams, STREAMS);
      this.serve();
    });
    session.on('goaway', (code, lastStream) => {
      this.lastSeen = lastStream;
      if (code !== constants.NGHTTP2_NO_ERROR) this.note(`goaway_${code}`);
      this.retire();
    });
    this.serve();
  }

  private lose(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.owner.lost(this);
    this.socket.destroy();
  }

  private serve(): void {
    for (const waiting of [...this.waiting]) {
      if (!this.canServe(waiting)) continue;
      this.forsake(waiting);
      waiting.connected(this);
    }
  }

  /** The other end has not said what it takes: those who need to know do not wait for it any longer. */
  private sendAway(): void {
    for (const waiting of [...this.waiting]) {
      const failure: Failure = { kind: 'connect-timeout', cause: TIMEOUT, reused: false };
      this.owner.balance.failed(this.address, failure);
      this.forsake(waiting);
      waiting.unreachable(failure);
    }
  }

  private end(): void {
    this.deadline = this.owner.ticker.in(LINGER_MS);
    if (this.session === null) this.socket.destroy();
    else if (!this.session.destroyed) this.session.close();
  }

  private note(cause: string | undefined): void {
    this.error ??= cause ?? 'closed';
  }
}

const TIMEOUT = 'timeout';
/** After the last stream the other end gets this long to close. */
const LINGER_MS = 2_000;
