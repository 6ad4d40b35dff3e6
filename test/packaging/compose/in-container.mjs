// `in-container.mjs <JSON>`: becomes a program of an unpacked image with what a service of a Compose file says: its user, its environment and
// nothing else of ours, a root that nothing can be written to, its files read-only where it wants them, and no way to more rights.
import { which } from '../../../setup/commands.mjs';

const { root, user, environment, mounts, hosts, words } = JSON.parse(process.argv[2] ?? '');

const script = `
set -e
root=$1 user=$2 chroot=$3 hosts=$4; shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mkdir -p "$root/etc"
printf '%s\\n' "$hosts" > "$root/etc/hosts"
while [ "$1" != -- ]; do
  mkdir -p "$(dirname "$root$2")"
  [ -e "$root$2" ] || : > "$root$2"
  mount --bind "$1" "$root$2"
  mount -o remount,ro,bind "$root$2"
  shift 2
done
shift
mount -o remount,ro,bind "$root"
exec setpriv --no-new-privs "$chroot" --userspec="$user" "$root" "$@"
`;

const unshare = which('unshare');
const chroot = which('chroot', ['/usr/sbin', '/sbin']);
if (!unshare || !chroot || !process.execve) throw new Error('unshare or chroot is not on PATH');
const files = mounts.flatMap((/** @type {{ from: string, to: string }} */ { from, to }) => [from, to]);
const args = ['sh', root, user, chroot, hosts, ...files, '--', ...words];
process.execve(unshare, ['unshare', '--mount', 'sh', '-c', script, ...args], {
  PATH: '/usr/bin',
  ...environment,
});
