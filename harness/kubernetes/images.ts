import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../command.ts';

const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

/** An image of busybox, as the archive that `docker save` writes. It is `localhost/<name>:1`. */
export function busyboxImage(busybox: string, folder: string, name: string, entry: string[] = ['/bin/sh']) {
  return pack(folder, `localhost/${name}:1`, entry, (root) => addBusybox(root, busybox));
}

/** As `busyboxImage`, with the Node that runs this. */
export function nodeImage(busybox: string, folder: string): Promise<string> {
  const node = '/usr/local/bin/node';
  return programImage(busybox, folder, 'localhost/node:1', [node], { [node]: process.execPath });
}

/** As `busyboxImage`, by a whole name, with programs of this machine where `programs` says, and the libraries they load. */
export function programImage(
  busybox: string,
  folder: string,
  image: string,
  entry: string[],
  programs: Readonly<Record<string, string>>,
): Promise<string> {
  return pack(folder, image, entry, async (root) => {
    await addBusybox(root, busybox);
    const copy = async (from: string, to = from) => {
      await mkdir(dirname(join(root, to)), { recursive: true });
      await copyFile(from, join(root, to));
    };
    for (const [place, program] of Object.entries(programs)) {
      await copy(program, place);
      for (const [library] of (await run('ldd', program)).matchAll(/\/[^\s:]+/g)) await copy(library);
    }
  });
}

async function addBusybox(root: string, busybox: string) {
  for (const name of ['bin', 'etc', 'proc', 'sys', 'dev']) await mkdir(join(root, name), { recursive: true });
  // mkdir heeds the umask
  await mkdir(join(root, 'tmp'));
  await chmod(join(root, 'tmp'), 0o1777);
  await copyFile(busybox, join(root, 'bin', 'busybox'));
  const applets = (await run(busybox, '--list')).split('\n').filter((name) => name && name !== 'busybox');
  for (const name of applets) await symlink('busybox', join(root, 'bin', name));
  await writeFile(
    join(root, 'etc', 'passwd'),
    'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  );
}

async function pack(folder: string, image: string, entry: string[], fill: (root: string) => Promise<void>) {
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
    const manifest = [{ Config: 'config.json', RepoTags: [image], Layers: ['layer.tar'] }];
    await writeFile(join(work, 'config.json'), JSON.stringify(config));
    await writeFile(join(work, 'manifest.json'), JSON.stringify(manifest));
    const archive = join(folder, `${image.replaceAll(/[/:]/g, '-')}.tar`);
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
