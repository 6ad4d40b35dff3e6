import { join } from 'node:path';
import { ghostunnelBinary } from '../../setup/ghostunnel.mjs';
import { CLIENT } from '../world.ts';
import type { Peer, Task } from './peer.ts';

/** ghostunnel knows TCP alone: it checks the client's ID once per connection, and passes bytes on. */
export function ghostunnelPeer(): Peer | undefined {
  const command = ghostunnelBinary();
  if (command === undefined) return undefined;
  const inbound = ({ name, folder, port, app }: Task) => [
    {
      name: `${name}-ghostunnel`,
      command,
      args: [
        'server',
        ...['--listen', `127.0.0.1:${port}`, '--target', `127.0.0.1:${app}`],
        ...['--cert', join(folder, 'server.pem'), '--key', join(folder, 'server.key')],
        ...['--cacert', join(folder, 'root.pem'), '--allow-uri', CLIENT, '--quiet=all'],
      ],
      env: { GOMAXPROCS: '1' },
      port,
    },
  ];
  return { name: 'ghostunnel', settles: false, inbound };
}
