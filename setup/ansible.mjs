import { outputOf, say, which } from './commands.mjs';
import { installedPip, installPip } from './pip.mjs';

/** ansible-core with ansible-lint. @type {import('./pip.mjs').PipPackage} */
const ansible = {
  name: 'Ansible',
  package: 'ansible-core',
  requirements: 'tools/ansible/requirements.txt',
  folder: 'ansible',
  expected: 'half a minute',
  lacking: 'the tests with Ansible are skipped',
};

/** Where Python finds the pinned Ansible, whose commands are in its `bin`; undefined where it is not installed. */
export function ansibleFolder() {
  return installedPip(ansible);
}

/** @param {AbortSignal} signal */
export async function installAnsible(signal) {
  const python = which('python3');
  const said = python && outputOf(python, ['-c', 'import sys; print(*sys.version_info[:2])']);
  const [major = 3, minor = 11] = said?.split(' ').map(Number) ?? [];
  if (major === 3 && minor < 11) return say(`python3 is older than 3.11: ${ansible.lacking}`);
  await installPip(ansible, signal);
}
