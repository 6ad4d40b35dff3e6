import { environment, flags } from '../../bin/flags.mjs';
import type { Program } from '../processes.ts';
import { policyFile } from '../world.ts';
import type { OutboundTask, Peer, Task } from './peer.ts';

/** As the launcher starts a sidecar. */
export const FLAGS = flags.sidecar;

/** Our own proxies, compiled into `dist`. */
export function signetPeer(dist: string): Peer {
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
      const own = `${name}-signet${workers > 1 ? `-${i + 1}` : ''}`;
      return program(own, port, 'inbound-only', [
        ...['--folder', folder, '--app', `127.0.0.1:${app}`],
        ...['--policies', policyFile(rules), '--audit', `${own}.audit`],
        ...(protocol === 'grpc' ? ['--h2c'] : []),
        ...(workers > 1 ? ['--reuse-port'] : []),
      ]);
    });
  const outbound = ({ name, folder, port, upstream }: OutboundTask) =>
    program(`${name}-signet-out`, port, 'outbound-only', [
      '--folder',
      folder,
      '--upstream',
      `127.0.0.1:${upstream}`,
    ]);
  return { name: 'signet', settles: true, inbound, outbound };
}
