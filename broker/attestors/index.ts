import type { Entry } from '../../lib/attestation/index.ts';
import type { Defect } from '../../lib/errors.ts';
import type { Attestor } from './attestor.ts';
import { type JoinDeps, join } from './join.ts';
import { sshHost } from './ssh-host.ts';
import { svid } from './svid.ts';

export {
  AttestationError,
  type AttestationErrorCode,
  type AttestContext,
  type Attestor,
  type InstanceRef,
  type PeerCertificate,
  type Verified,
} from './attestor.ts';

export type Attestors = ReadonlyMap<string, Attestor>;

/** Every kind of evidence that this broker verifies. What is not here is refused. */
export function createAttestors(deps: JoinDeps): Attestors {
  return new Map([sshHost, join(deps), svid(deps)].map((attestor) => [attestor.method, attestor]));
}

/** What makes an entry unfit for use although it is well-formed: no attestor for it, or selectors that anyone could show. */
export function entryDefects(attestors: Attestors, entry: Entry): readonly Defect[] {
  const [key = ''] = Object.keys(entry.match);
  const method = key.slice(0, key.indexOf(':'));
  return (
    attestors.get(method)?.entryDefects(entry) ?? [
      { pointer: '/match', message: `is of ${method}, of which this broker has no attestor` },
    ]
  );
}
