import type { User } from '../../../lib/policy/index.ts';
import { fieldValues, type RequestHead } from '../../../sidecar/http1/index.ts';
import type { Users } from '../../../sidecar/inbound/screens.ts';
import { Pending, Refused } from '../../../sidecar/relay/index.ts';

const REFUSED = new Refused({ status: 401, code: 'token_invalid', detail: 'no' }, false, [
  ['www-authenticate', 'Bearer realm="signet"'],
]);

/** Knows nobody before it is told. By `wait: NAME` a request asks for something that is on its way; by the path where it has no head. */
export class PendingUsers implements Users {
  /** How often each was asked about. */
  readonly asked = new Map<string, number>();
  /** Waits over and over, whatever is told. */
  endless = false;
  private readonly waits = new Map<string, PromiseWithResolvers<void>>();
  private readonly known = new Map<string, User | null | Refused>();

  identify(head: RequestHead): User | null | Refused | Pending {
    const name = head.via === 'tcp' ? head.target.path : fieldValues(head.bytes, head, 'wait')[0];
    if (name === undefined) return null;
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
    const known = this.known.get(name);
    if (known !== undefined) return known;
    if (this.endless) return new Pending(new Promise((resolve) => setTimeout(resolve, 20)));
    let wait = this.waits.get(name);
    if (wait === undefined) this.waits.set(name, (wait = Promise.withResolvers<void>()));
    return new Pending(wait.promise);
  }

  allow(name: string): void {
    this.tell(name, null);
  }

  refuse(name: string): void {
    this.tell(name, REFUSED);
  }

  private tell(name: string, what: User | null | Refused): void {
    this.known.set(name, what);
    this.waits.get(name)?.resolve();
  }
}
