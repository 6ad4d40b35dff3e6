import type { Connector, Failure, PoolDeps, RelayLimits, Ticker } from '../relay/index.ts';
import { Session, type SessionOwner, type Waiting } from './session.ts';

/** Connections to one address; streams beyond what these carry are refused. */
const MOST_SESSIONS = 16;
/** An address that could not be reached is left alone for so long, if there are others. */
const SHUN_MS = 1_000;
/** An upstream that spoke HTTP/1.1 alone is asked again after so long. */
const UNSPOKEN_MS = 60_000;

type Address = { readonly number: number; readonly sessions: Set<Session>; shunnedUntil: number };

/** Connections to one app or upstream, each of which carries many streams; as few as will do. */
export class Sessions implements SessionOwner {
  readonly limits: RelayLimits;
  readonly ticker: Ticker;
  private readonly connector: Omit<Connector, 'problem'>;
  private readonly addresses: readonly Address[];
  private readonly all = new Set<Session>();
  private unspokenUntil = 0;
  private turn = 0;

  constructor(
    connector: Omit<Connector, 'problem'>,
    { limits, ticker }: Pick<PoolDeps, 'limits' | 'ticker'>,
  ) {
    this.connector = connector;
    this.limits = limits;
    this.ticker = ticker;
    this.addresses = Array.from({ length: connector.addresses }, (_, number) => ({
      number,
      sessions: new Set<Session>(),
      shunnedUntil: 0,
    }));
  }

  /** Whether the other end speaks HTTP/2, as far as is known. */
  get spoken(): boolean {
    return this.ticker.now >= this.unspokenUntil;
  }

  /** Finds or makes a connection for a stream, trying each address once. */
  take(waiting: Waiting): void {
    waiting.untried = this.addresses.length;
    this.assign(waiting);
  }

  /** The stream is not wanted any more. */
  forsake(waiting: Waiting): void {
    for (const session of this.all) session.waiting.delete(waiting);
  }

  /** No connection takes new streams from now on; each ends with its last. */
  retire(): void {
    for (const session of this.all) session.retire();
  }

  get size(): number {
    return this.all.size;
  }

  sweep(): void {
    for (const session of this.all) session.sweep(this.ticker.now);
  }

  destroy(): void {
    for (const session of this.all) session.destroy('closed');
  }

  closing(session: Session): void {
    this.addresses[session.address]!.sessions.delete(session);
  }

  lost(session: Session): void {
    const address = this.addresses[session.address]!;
    address.sessions.delete(session);
    this.all.delete(session);
    if (!session.isOpen) address.shunnedUntil = this.ticker.in(SHUN_MS);
    for (const waiting of abandoned(session)) {
      if (--waiting.untried > 0) this.assign(waiting);
      else waiting.unreachable(session.unreachable);
    }
  }

  unspoken(session: Session): void {
    this.unspokenUntil = this.ticker.in(UNSPOKEN_MS);
    for (const waiting of abandoned(session)) waiting.unspoken();
    session.retire();
  }

  private assign(waiting: Waiting): void {
    const session = this.choose();
    if (session === null) waiting.unreachable(BUSY);
    else if (session.isOpen) waiting.connected(session);
    else session.waiting.add(waiting);
  }

  /** The address with the fewest streams, in turns among equals; on it a connection that has room, or a new one. */
  private choose(): Session | null {
    const { addresses, ticker } = this;
    this.turn = (this.turn + 1) % addresses.length;
    let best: Address | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < addresses.length; i++) {
      const address = addresses[(this.turn + i) % addresses.length]!;
      // one that is shunned comes after all others, whatever they carry
      const load = loadOf(address) + (address.shunnedUntil > ticker.now ? SHUNNED : 0);
      if (load < least && (address.sessions.size < MOST_SESSIONS || this.roomAt(address) !== null)) {
        best = address;
        least = load;
      }
    }
    return best === null ? null : (this.roomAt(best) ?? this.open(best));
  }

  private roomAt(address: Address): Session | null {
    for (const session of address.sessions) {
      if (session.isOpen && !this.connector.usable(session)) session.retire();
      else if (session.hasRoom) return session;
    }
    return null;
  }

  private open(address: Address): Session {
    const socket = this.connector.open(address.number, null);
    const session = new Session(this, address.number, socket, this.connector.readyEvent);
    address.sessions.add(session);
    this.all.add(session);
    return session;
  }
}

const BUSY: Failure = { kind: 'busy', cause: 'too_many_streams', reused: false };
const SHUNNED = 1e9;

function loadOf({ sessions }: Address): number {
  let load = 0;
  for (const session of sessions) load += session.load;
  return load;
}

/** Those that wait for a connection, which does so no more. */
function abandoned({ waiting }: Session): Waiting[] {
  const all = [...waiting];
  waiting.clear();
  return all;
}
