import type { RelayLimits } from './limits.ts';

/** Why a connection is one too many. */
export type Excess = 'connections' | 'connections_of_peer' | 'handshakes' | 'handshakes_of_address';

const UNBOUNDED = Number.POSITIVE_INFINITY;

/** How many are here, in all and of each peer: connections that stand, and TLS handshakes under way, whose peer is not known yet. */
export class Crowd {
  private readonly limits: Pick<RelayLimits, 'connections' | 'connectionsPerPeer' | 'handshakes'>;
  private readonly standing = new Tally();
  private readonly shaking = new Tally();

  constructor(limits: Crowd['limits']) {
    this.limits = limits;
  }

  /** Connections that stand. */
  get size(): number {
    return this.standing.total;
  }

  /** Counts one connection more, until it leaves. @returns why it may not be, and is not counted; or null */
  enter(peer: string): Excess | null {
    const { connections, connectionsPerPeer } = this.limits;
    const excess = this.standing.excess(peer, connections, connectionsPerPeer);
    if (excess !== null) return excess === 'total' ? 'connections' : 'connections_of_peer';
    this.standing.add(peer);
    return null;
  }

  leave(peer: string): void {
    this.standing.remove(peer);
  }

  /** As `enter`, for a handshake. */
  begin(address: string): Excess | null {
    const { handshakes, connectionsPerPeer } = this.limits;
    // never all there may be: one address could keep the others out
    const ofOne = Math.min(connectionsPerPeer || UNBOUNDED, Math.ceil(handshakes / 2) || UNBOUNDED);
    const excess = this.shaking.excess(address, handshakes, ofOne);
    if (excess !== null) return excess === 'total' ? 'handshakes' : 'handshakes_of_address';
    this.shaking.add(address);
    return null;
  }

  end(address: string): void {
    this.shaking.remove(address);
  }
}

/** A count for each name, as long as there is anything to count. */
class Tally {
  total = 0;
  private readonly counts = new Map<string, number>();

  /** Which bound one more would break; 0 bounds nothing. */
  excess(name: string, most: number, mostOfOne: number): 'total' | 'one' | null {
    // the peer first: what it has too much of is not for the others to bear
    if (mostOfOne !== 0 && (this.counts.get(name) ?? 0) >= mostOfOne) return 'one';
    return most !== 0 && this.total >= most ? 'total' : null;
  }

  add(name: string): void {
    this.total++;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  remove(name: string): void {
    const left = (this.counts.get(name) ?? 0) - 1;
    this.total--;
    if (left > 0) this.counts.set(name, left);
    else this.counts.delete(name);
  }
}
