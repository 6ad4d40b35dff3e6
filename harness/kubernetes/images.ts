import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './command.ts';

const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

/** An image of busybox, as the archive that `docker save` writes. It is `localhost/<name>:1`. */
export function busyboxImage(busybox: string, folder: string, name: string, entry: string[] = ['/bin/sh']) {
  return pack(folder, name, entry, (root) => addBusybox(root, busybox));
}

/** As `busyboxImage`, with the Node that runs this, and the libraries it loads. */
export function nodeImage(busybox: string, folder: string): Promise<string> {
  return pack(folder, 'node', ['/usr/local/bin/node'], async (root) => {
    await addBusybox(root, busybox);
    const copy = async (from: string, to = from) => {
      await mkdir(dirname(join(root, to)), { recursive: true });
      await copyFile(from, join(root, to));
    };
    await copy(process.execPath, '/usr/local/bin/node');
    for (const [library] of (await run('ldd', process.execPath)).matchAll(/\/[^\s:]+/g)) await copy(library);
  });
}

async function addBusybox(root: string, busybox: string) {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev']) await mkdir(join(root, name), { recursive: true });
  await mkdir(join(root, 'tmp'), { mode: 0o1777 });
  await copyFile(busybox, join(root, 'bin', 'busybox'));
  const applets = (await run(busybox, '--list')).split('\n').filter((name) => name && name !== 'busybox');
  for (const name of applets) await symlink('busybox', join(root, 'bin', name));
  await writeFile(
    join(root, 'etc', 'passwd'),
    'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  );
}

async function pack(folder: string, name: string, entry: string[], fill: (root: string) => Promise<void>) {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'making-'));
  try {
    const root = join(work, 'root');
    await mkdir(root);
    await fill(root);
    const owned = ['--owner=0', '--group=0', '--numeric-owner'];
    await run('tar', ...owned, '-C', root, '-cf', join(work, 'layer.tar'), '.');
    const config = {
      architecture: ARCHITECTURES[process.arch],
      os: 'linux',
      config: { Env: ['PATH=/usr/local/bin:/bin'], Entrypoint: entry },
      rootfs: { type: 'layers', diff_ids: [`sha256:${await sha256(join(work, 'layer.tar'))}`] },
    };
    const manifest = [{ Config: 'config.json', RepoTags: [`localhost/${name}:1`], Layers: ['layer.tar'] }];
    await writeFile(join(work, 'config.json'), JSON.stringify(config));
    await writeFile(join(work, 'manifest.json'), JSON.stringify(manifest));
    const archive = join(folder, `${name}.tar`);
    await run('tar', '-C', work, '-cf', archive, 'manifest.json', 'config.json', 'layer.tar');
    return archive;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}
