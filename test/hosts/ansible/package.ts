import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const UNIT = `[Unit]
Description=Signet sidecar

[Service]
ExecStart=/usr/bin/signet sidecar
EnvironmentFile=/etc/signet/sidecar.env
User=signet

[Install]
WantedBy=multi-user.target
`;

/** A package by the name and with the places of the sidecar's, whose program only says its version. */
export async function buildPackage(
  folder: string,
  version: string,
): Promise<{ readonly file: string; readonly sha256: string }> {
  const tree = join(folder, `tree-${version}`);
  const files: Record<string, readonly [text: string, mode?: number]> = {
    'DEBIAN/control': [
      `Package: signet\nVersion: ${version}\nArchitecture: all\nMaintainer: test <test@example.org>\nDescription: test\n`,
    ],
    'DEBIAN/conffiles': ['/etc/signet/sidecar.env\n'],
    'DEBIAN/postinst': [
      '#!/bin/sh\nset -e\ngetent passwd signet >/dev/null || useradd --system --user-group --no-create-home signet\n',
      0o755,
    ],
    'etc/signet/sidecar.env': [`# settings of ${version}\n`],
    'usr/bin/signet': [`#!/bin/sh\necho ${version}\n`, 0o755],
    'usr/lib/systemd/system/signet-sidecar.service': [UNIT],
    'usr/lib/systemd/system/signet-sidecar@.service': [UNIT.replace('sidecar.env', '%i.env')],
  };
  for (const [name, [text, mode = 0o644]] of Object.entries(files)) {
    const file = join(tree, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    await chmod(file, mode);
  }
  const file = join(folder, `signet_${version}_all.deb`);
  await run('dpkg-deb', ['--root-owner-group', '--build', tree, file]);
  return {
    file,
    sha256: createHash('sha256')
      .update(await readFile(file))
      .digest('hex'),
  };
}
