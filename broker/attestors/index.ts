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

/** Every kind of evidence that this broker verifies: those that it always has, and `further` ones. What is not here is refused. */
export function createAttestors(deps: JoinDeps, further: readonly Attestor[] = []): Attestors {
  return new Map(
    [sshHost, join(deps), svid(deps), ...further].map((attestor) => [attestor.method, attestor]),
  );
}

/** The front of the selectors of a method. */
export function prefixOf({ method, prefix = method }: Attestor): string {
  return prefix;
}

/** What makes an entry unfit for use although it is well-formed: no attestor for it, or selectors that anyone could show. */
export function entryDefects(attestors: Attestors, entry: Entry): readonly Defect[] {
  const [key = ''] = Object.keys(entry.match);
  const prefix = key.slice(0, key.indexOf(':'));
  const attestor = [...attestors.values()].find((each) => prefixOf(each) === prefix);
  return (
    attestor?.entryDefects(entry) ?? [
      { pointer: '/match', message: `is of ${prefix}, of which this broker has no attestor` },
    ]
  );
}
