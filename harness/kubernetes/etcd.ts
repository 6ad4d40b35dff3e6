import type { Child } from '../child.ts';
import { freePort } from '../port.ts';
import { startComponent, untilReady } from './component.ts';

/** An etcd of one member on loopback ports, that forgets what was not written when the machine dies. */
export async function startEtcd(folder: string): Promise<Child & { readonly url: string }> {
  const [client, peer] = [await freePort(), await freePort()].map((port) => `http://127.0.0.1:${port}`);
  const child = await startComponent(
    'etcd',
    {
      name: 'one',
      'data-dir': folder,
      'listen-client-urls': client!,
      'advertise-client-urls': client!,
      'listen-peer-urls': peer!,
      'initial-advertise-peer-urls': peer!,
      'initial-cluster': `one=${peer}`,
      'log-level': 'warn',
      'unsafe-no-fsync': 'true',
    },
    { cwd: '/' },
  );
  try {
    await untilReady('etcd', child, async () => (await fetch(`${client}/health`)).ok, 20_000);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return { ...child, url: client! };
}
