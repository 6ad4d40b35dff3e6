import type { Program } from '../processes.ts';
import { policyFile } from '../world.ts';
import type { OutboundTask, Peer, Task } from './peer.ts';

/** A young generation that stays in the CPU's cache, and no helper threads for collecting it. */
export const FLAGS = ['--max-semi-space-size=2', '--single-threaded-gc'];

/** Our own proxies, compiled into `dist`. */
export function signetPeer(dist: string): Peer {
  const program = (name: string, port: number, script: string, args: readonly string[]): Program => ({
    name,
    command: process.execPath,
    args: [...FLAGS, `${dist}/bench/${script}.js`, '--listen', `127.0.0.1:${port}`, ...args],
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
