import {
  type Balance,
  type Connector,
  type Failure,
  NO_ADDRESS,
  NOWHERE,
  ONE_ADDRESS,
  type PoolDeps,
  type RelayLimits,
  type Ticker,
  wasCut,
} from '../relay/index.ts';
import { Session, type SessionOwner, type Waiting } from './session.ts';

/** Connections to one address; streams beyond what these carry are refused. */
const MOST_SESSIONS = 32;
/** Addresses that one stream is offered to. */
const MOST_DIALS = 4;
/** An upstream that spoke HTTP/1.1 alone is asked again after so long. */
const UNSPOKEN_MS = 60_000;

/** Connections to one app or upstream, each of which carries many streams; as few as will do. */
export class Sessions implements SessionOwner {
  readonly limits: RelayLimits;
  readonly ticker: Ticker;
  readonly balance: Balance;
  private readonly connector: Omit<Connector, 'problem'>;
  /** Those that take new streams, by their address. */
  private readonly at = new Map<number, Set<Session>>();
  private readonly all = new Set<Session>();
  private unspokenUntil = 0;

  constructor(
    connector: Omit<Connector, 'problem'>,
    { limits, ticker }: Pick<PoolDeps, 'limits' | 'ticker'>,
  ) {
    this.connector = connector;
    this.limits = limits;
    this.ticker = ticker;
    this.balance = connector.balance ?? ONE_ADDRESS;
  }

  /** Whether the other end speaks HTTP/2, as far as is known. */
  get spoken(): boolean {
    return this.ticker.now >= this.unspokenUntil;
  }

  /** Finds or makes a connection for a stream, trying each address once, and the last twice if it cuts the first connection. */
  take(waiting: Waiting): void {
    waiting.tried.clear();
    waiting.again = false;
    this.assign(waiting);
  }

  /** The stream is not wanted any more. */
  forsake(waiting: Waiting): void {
    for (const session of this.all) session.forsake(waiting);
  }

  /** No connection takes new streams from now on; each ends with its last. */
  retire(): void {
    for (const session of this.all) session.retire();
  }

  get size(): number {
    return this.all.size;
  }

  sweep(): void {
    for (const session of this.all) {
      session.sweep(this.ticker.now);
      if (!this.balance.has(session.address)) session.retire();
    }
  }

  destroy(): void {
    for (const session of this.all) session.destroy('closed');
  }

  closing(session: Session): void {
    const sessions = this.at.get(session.address);
    if (sessions?.delete(session) && sessions.size === 0) this.at.delete(session.address);
  }

  lost(session: Session): void {
    this.closing(session);
    this.all.delete(session);
    if (session.neverStood) this.balance.failed(session.address, session.unreachable);
    for (const waiting of abandoned(session)) {
      waiting.tried.add(session.address);
      const others = waiting.tried.size < MOST_DIALS && this.balance.choose(waiting.tried) !== NO_ADDRESS;
      if (others) this.assign(waiting);
      else if (!waiting.again && wasCut(session.unreachable) && this.balance.has(session.address)) {
        waiting.again = true;
        waiting.tried.delete(session.address);
        this.assign(waiting);
      } else waiting.unreachable(session.unreachable);
    }
  }

  unspoken(session: Session): void {
    this.unspokenUntil = this.ticker.in(UNSPOKEN_MS);
    for (const waiting of abandoned(session)) waiting.unspoken();
    session.retire();
  }

  private assign(waiting: Waiting): void {
    const session = this.choose(waiting.tried);
    if (session === null) waiting.unreachable(this.balance.choose(NONE) === NO_ADDRESS ? NOWHERE : BUSY);
    else if (session.canServe(waiting)) waiting.connected(session);
    else session.queue(waiting);
  }

  /** At the address whose turn it is: a connection that has room, or a new one. */
  private choose(tried: ReadonlySet<number>): Session | null {
    let passed = tried;
    for (;;) {
      const address = this.balance.choose(passed);
      if (address === NO_ADDRESS) return null;
      const session = this.roomAt(address);
      if (session !== null) return session;
      if ((this.at.get(address)?.size ?? 0) < MOST_SESSIONS) return this.open(address);
      passed = new Set(passed).add(address);
    }
  }

  private roomAt(address: number): Session | null {
    for (const session of this.at.get(address) ?? []) {
      if (session.isOpen && !this.connector.usable(session)) session.retire();
      else if (session.hasRoom) return session;
    }
    return null;
  }

  private open(address: number): Session {
    const socket = this.connector.open(address, null);
    const session = new Session(this, address, socket, this.connector.readyEvent);
    const sessions = this.at.get(address) ?? new Set();
    this.at.set(address, sessions.add(session));
    this.all.add(session);
    return session;
  }
}

const NONE: ReadonlySet<number> = new Set();
const BUSY: Failure = { kind: 'busy', cause: 'too_many_streams', reused: false };
/** Those that wait for a connection, which does so no more. */
function abandoned(session: Session): Waiting[] {
  const all = [...session.waiting];
  for (const waiting of all) session.forsake(waiting);
  return all;
}
