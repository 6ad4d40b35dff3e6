// Both proxies in one process, for transparent.test.ts to run in a network namespace of its own. It tells its ports on standard output.
import { createMetrics } from '../../lib/adapter/metrics.ts';
import { createOutbound } from '../../sidecar/outbound/index.ts';
import { world } from '../sidecar/inbound/world.ts';
import { upstream } from '../sidecar/outbound/world.ts';
import { portOf } from '../sidecar/sockets.ts';
import { clock, quiet } from '../sidecar/support.ts';

const [far = '', port = ''] = process.argv.slice(2);

const w = await world({
  answer: (seen) => {
    const { received } = seen;
    seen.received = '';
    seen.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${received.length}\r\n\r\n${received}`);
  },
});
for (const host of ['127.0.0.1', '::1'])
  await createOutbound({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: [
      {
        ...upstream('orders', []),
        addresses: [{ host: far, port: 8443 }],
      },
    ],
    transparent: { host, port: Number(port) },
    credentials: w.web,
    clock,
    log: quiet,
    metrics: createMetrics(),
  });
process.stdout.write(`${JSON.stringify({ inbound: portOf(w.inbound.address), app: w.app.port })}\n`);
