import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { corednsBinary } from '../../setup/kubernetes.mjs';
import { type Child, startChild } from '../child.ts';
import { freePort } from '../port.ts';
import { untilReady } from './component.ts';

export interface CorednsOptions {
  /** Where it answers, at port 53. */
  readonly address: string;
  readonly kubeconfig: string;
}

/** Starts a CoreDNS, which knows the names of Services and no others. @throws where set-up has built none */
export async function startCoredns(folder: string, { address, kubeconfig }: CorednsOptions): Promise<Child> {
  const binary = corednsBinary();
  if (!binary) throw new Error('there is no CoreDNS here yet: run `npm run setup test` first');
  await mkdir(folder);
  const ready = `127.0.0.1:${await freePort()}`;
  const file = join(folder, 'Corefile');
  const plugins = [
    `bind ${address}`,
    `ready ${ready}`,
    'errors',
    `kubernetes {\n kubeconfig ${kubeconfig}\n }`,
  ];
  await writeFile(file, `cluster.local:53 {\n ${plugins.join('\n ')}\n}\n`);
  const child = await startChild(binary, ['-conf', file], { cwd: folder });
  try {
    await untilReady('CoreDNS', child, async () => (await fetch(`http://${ready}/ready`)).ok, 30_000);
  } catch (error) {
    await child.kill();
    throw error;
  }
  return child;
}
