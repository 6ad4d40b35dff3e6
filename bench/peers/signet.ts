import { environment, flags } from '../../bin/flags.mjs';
import type { Mode } from '../../lib/fingerprint/index.ts';
import type { Program } from '../processes.ts';
import { policyFile } from '../world.ts';
import type { OutboundTask, Peer, Task } from './peer.ts';

/** As it is named in rows. */
export const provenBy = (mode: Exclude<Mode, 'off'>) => `signet-${mode}`;

/** As the launcher starts a sidecar. */
export const FLAGS = flags.sidecar;

/** In rows: without an audit. No sidecar runs so: it tells what the audit costs. */
export const UNRECORDED = 'signet-unrecorded';

type Variant = {
  readonly name: string;
  /** Proves each request in this way. */
  readonly fingerprint?: Exclude<Mode, 'off'>;
  /** Writes no audit. */
  readonly unrecorded?: true;
};

export const VARIANTS: readonly Variant[] = [
  { name: 'signet' },
  { name: provenBy('channel'), fingerprint: 'channel' },
  { name: provenBy('signed'), fingerprint: 'signed' },
  { name: UNRECORDED, unrecorded: true },
];

/** Our own proxies, compiled into `dist`. */
export function signetPeer(dist: string, { name: peerName, fingerprint, unrecorded }: Variant): Peer {
  const proof = fingerprint === undefined ? [] : ['--fingerprint', fingerprint];
  const program = (name: string, port: number, script: string, args: readonly string[]): Program => ({
    name,
    command: process.execPath,
    args: [...FLAGS, `${dist}/bench/${script}.js`, '--listen', `127.0.0.1:${port}`, ...args],
    env: environment.sidecar,
    port,
    says: '"listening"',
  });
  const inbound = ({ name, folder, port, app, protocol, workers, rules }: Task) =>
    Array.from({ length: workers }, (_, i) => {
      const own = `${name}-${peerName}${workers > 1 ? `-${i + 1}` : ''}`;
      return program(own, port, 'inbound-only', [
        ...['--folder', folder, '--app', `127.0.0.1:${app}`],
        ...['--policies', policyFile(rules), '--audit', unrecorded ? 'none' : `${own}.audit`],
        ...(protocol === 'grpc' ? ['--h2c'] : []),
        ...proof,
        ...(workers > 1 ? ['--reuse-port'] : []),
      ]);
    });
  const outbound = ({ name, folder, port, upstream }: OutboundTask) =>
    program(`${name}-${peerName}-out`, port, 'outbound-only', [
      '--folder',
      folder,
      '--upstream',
      `127.0.0.1:${upstream}`,
      ...proof,
    ]);
  return { name: peerName, settles: true, inbound, outbound };
}
