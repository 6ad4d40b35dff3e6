// `in-image.mjs <root> <seen> <program> <argument>…`: becomes a program of an unpacked image, started as a cluster would start it: as user 65532,
// on a root that nothing can be written to. `seen` is a folder of this machine that it sees too, at the same place and read-only; `-` is none,
// and then it has no network either.
import { which } from '../../../setup/commands.mjs';

const [root = '', seen = '', ...words] = process.argv.slice(2);

const mounts = `
set -e
root=$1 seen=$2; shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
if [ "$seen" != - ]; then
  mkdir -p "$root$seen"
  mount --bind "$seen" "$root$seen"
  mount -o remount,ro,bind "$root$seen"
fi
mount -o remount,ro,bind "$root"
exec chroot --userspec=65532:65532 "$root" "$@"
`;

const unshare = which('unshare');
if (!unshare || !process.execve) throw new Error('unshare is not on PATH');
const apart = seen === '-' ? ['--mount', '--net'] : ['--mount'];
process.execve(unshare, ['unshare', ...apart, 'sh', '-c', mounts, 'sh', root, seen, ...words], process.env);
