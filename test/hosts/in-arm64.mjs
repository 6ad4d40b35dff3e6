// `in-arm64.mjs <root> <program>`: becomes a program of the unpacked image for arm64, run by QEMU, with this machine's files and network.
import { join } from 'node:path';
import { qemuBinary } from '../../setup/qemu.mjs';

const [root = '', program = '', ...words] = process.argv.slice(2);
const qemu = qemuBinary();
if (!qemu || !process.execve) throw new Error('there is no QEMU for arm64');
const main = join(root, `opt/signet/dist/${program}/main.js`);
process.execve(qemu, [qemu, '-L', root, join(root, 'usr/bin/node'), main, ...words], process.env);
