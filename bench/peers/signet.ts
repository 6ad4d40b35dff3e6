import { environment, flags } from '../../bin/flags.mjs';
import type { Mode } from '../../lib/fingerprint/index.ts';
import type { Program } from '../processes.ts';
import { policyFile } from '../world.ts';
import type { OutboundTask, Peer, Task } from './peer.ts';

/** As it is named in rows. */
export const provenBy = (mode: Exclude<Mode, 'off'>) => `signet-${mode}`;

/** As the launcher starts a sidecar. */
export const FLAGS = flags.sidecar;

/** Our own proxies, compiled into `dist`, with this proof of each request between them. */
export function signetPeer(dist: string, fingerprint: Exclude<Mode, 'off'> | null = null): Peer {
  const peerName = fingerprint === null ? 'signet' : provenBy(fingerprint);
  const proof = fingerprint === null ? [] : ['--fingerprint', fingerprint];
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
        ...['--policies', policyFile(rules), '--audit', `${own}.audit`],
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
