import { run, SetupError, say, which, withProgress } from './commands.mjs';

/** @typedef {{ command: string, package: string }} SystemPackage */

/** What each task runs from the system; Debian's package of each. @type {Record<string, SystemPackage[]>} */
export const neededFor = {
  test: [
    { command: 'ssh-keygen', package: 'openssh-client' },
    { command: 'openssl', package: 'openssl' },
    { command: 'faketime', package: 'faketime' },
    { command: 'strace', package: 'strace' },
    { command: 'nginx', package: 'nginx-light' },
    { command: 'curl', package: 'curl' },
    { command: 'python3', package: 'python3' },
    { command: 'wrk', package: 'wrk' },
    { command: 'ip', package: 'iproute2' },
    { command: 'nft', package: 'nftables' },
    { command: 'iptables', package: 'iptables' },
    { command: 'swtpm', package: 'swtpm' },
    { command: 'swtpm_setup', package: 'swtpm-tools' },
    { command: 'tpm2_createek', package: 'tpm2-tools' },
    { command: 'systemd-nspawn', package: 'systemd-container' },
    { command: 'rpm', package: 'rpm' },
  ],
  bench: [
    { command: 'nginx', package: 'nginx-light' },
    { command: 'haproxy', package: 'haproxy' },
  ],
};

/**
 * Installs what is missing by apt where that is possible: as root, on Debian and its kin.
 * Elsewhere it says in one line what to install. With CI=true that is an error; on a desk the tests that need it say so.
 * @param {SystemPackage[]} packages @param {AbortSignal} signal
 */
export async function ensureSystemPackages(packages, signal) {
  const missing = missingPackages(packages);
  if (missing.length === 0) return;
  const names = missing.join(' ');
  if (process.getuid?.() === 0 && which('apt-get')) {
    await withProgress(`installing ${names} with apt-get`, 'under a minute', () =>
      aptInstall(missing, signal),
    );
    const still = missingPackages(packages);
    if (still.length > 0)
      throw new SetupError(`apt-get installed ${names}, but ${still.join(' ')} has no command on PATH`);
    return;
  }
  const line = `install these system packages: ${names}`;
  if (process.env['CI'] === 'true') throw new SetupError(line);
  say(line);
}

/** @param {SystemPackage[]} packages */
function missingPackages(packages) {
  const found = (/** @type {SystemPackage} */ each) =>
    which(each.command, ['/usr/sbin', '/sbin', '/usr/games']);
  return packages.filter((each) => !found(each)).map((each) => each.package);
}

/** The package lists are fetched only if they turn out to be missing or out of date. @param {string[]} names @param {AbortSignal} signal */
async function aptInstall(names, signal) {
  const apt = (/** @type {string[]} */ ...args) =>
    run(`apt-get ${args.join(' ')}`, 'apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-q', '-y', ...args], {
      signal,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  const install = () => apt('install', '--no-install-recommends', ...names);
  try {
    await install();
  } catch (error) {
    if (signal.aborted) throw error;
    await apt('update');
    await install();
  }
}
