import type { Excess } from './crowd.ts';
import { type Gate, Refused } from './route.ts';

/** Before a connection that is one too many: its first request is answered, and that is all. */
class CrowdedGate implements Gate {
  readonly peer = null;
  readonly passed = '';
  private readonly refused: Refused;

  constructor(detail: string) {
    this.refused = new Refused({ status: 503, code: 'too_many_connections', detail }, true);
  }

  admit(): Refused {
    return this.refused;
  }
  malformed(): void {}
  standing(): null {
    return null;
  }
  /** Never told: it admits nothing. */
  spliced(): () => void {
    return () => {};
  }
}

const OF_ALL = new CrowdedGate('as many connections are open here as may be');
const OF_PEER = new CrowdedGate('you have as many connections open here as one peer may have');

export function crowdedGate(excess: Excess): Gate {
  return excess === 'connections' ? OF_ALL : OF_PEER;
}
