import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { outputOf, run, SetupError, say, withProgress } from './commands.mjs';
import { hasDebian } from './debian.mjs';
import { cache } from './paths.mjs';

/** What a machine of the tests has beside Debian's smallest set. */
const included = [
  ...['systemd', 'systemd-sysv', 'dbus', 'openssh-server', 'python3', 'iproute2', 'nftables'],
  ...['ca-certificates', 'curl', 'libatomic1', 'procps'],
];

const folder = join(cache, 'hosts');

/** The file system that the tests' machines begin with, which is never written to; undefined where it is not here. */
export function hostRoot() {
  return existsSync(place()) ? place() : undefined;
}

/** Another list of packages, or another release, is another folder. */
function place() {
  const { codename } = release();
  const list = createHash('sha256').update(included.join()).digest('hex').slice(0, 8);
  return join(folder, `${codename}-${list}`);
}

/** Of the machine that this runs on. */
function release() {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const field = (/** @type {string} */ name) =>
    new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: field('ID'), codename: field('VERSION_CODENAME') };
}

/**
 * Makes it by debootstrap out of Debian's packages, from where this machine's apt takes them. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function provideHosts(signal) {
  const { id, codename } = release();
  if (!hasDebian() || id !== 'debian' || process.getuid?.() !== 0)
    return say('the tests with machines of their own need Debian and root: they are skipped');
  mkdirSync(folder, { recursive: true });
  for (const left of readdirSync(folder).filter((name) => name.startsWith('making-')))
    rmSync(join(folder, left), { recursive: true, force: true });
  const work = mkdtempSync(join(folder, 'making-'));
  try {
    await withProgress('making a Debian for the machines of the tests', '1 to 3 minutes', () =>
      bootstrap(work, codename, signal),
    );
    renameSync(join(work, 'root'), place());
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @param {string} work @param {string} codename @param {AbortSignal} signal */
async function bootstrap(work, codename, signal) {
  const apt = (/** @type {string[]} */ ...args) =>
    run(`apt-get ${args.join(' ')}`, 'apt-get', ['-q', '-o', 'APT::Sandbox::User=root', ...args], {
      signal,
      cwd: work,
    });
  // debootstrap is a script and its tables: it need not be installed
  await apt('download', 'debootstrap').catch(async (error) => {
    if (signal.aborted) throw error;
    await apt('update');
    await apt('download', 'debootstrap');
  });
  const [file = ''] = readdirSync(work).filter((name) => name.endsWith('.deb'));
  await run('dpkg-deb', 'dpkg-deb', ['-x', file, 'tool'], { signal, cwd: work });
  const targets = outputOf('apt-get', ['indextargets', '--format', '$(SITE) $(RELEASE) $(COMPONENT)']) ?? '';
  const mirror = targets.split('\n').find((line) => line.endsWith(` ${codename} main`));
  if (!mirror) throw new SetupError(`apt has no source for Debian ${codename}, main`);
  const options = ['--variant=minbase', `--include=${included.join()}`, codename, join(work, 'root')];
  await run(
    'debootstrap',
    join(work, 'tool/usr/sbin/debootstrap'),
    [...options, String(mirror.split(' ')[0])],
    {
      signal,
      cwd: work,
      env: { ...process.env, DEBOOTSTRAP_DIR: join(work, 'tool/usr/share/debootstrap') },
    },
  );
  const root = join(work, 'root');
  rmSync(join(root, 'var/cache/apt/archives'), { recursive: true });
  mkdirSync(join(root, 'var/cache/apt/archives/partial'), { recursive: true });
  // each machine has keys and an id of its own
  for (const name of readdirSync(join(root, 'etc/ssh')).filter((each) => each.startsWith('ssh_host_')))
    rmSync(join(root, 'etc/ssh', name));
  rmSync(join(root, 'etc/machine-id'), { force: true });
}
