import { isExecutable, outputOf, SetupError, say } from './commands.mjs';
import { buildGo, builtGo, findBuiltGo, findGo, requiredVersion, sourcesHash } from './go-build.mjs';

const folder = 'tools/kubernetes';
const pinned = () => requiredVersion(folder, 'k8s.io/kubernetes');

/** etcd and the components of Kubernetes in one program, called as `kube <component>`. @type {import('./go-build.mjs').GoProgram} */
const kube = {
  name: 'kube',
  folder,
  package: '.',
  version: () => `${pinned()}-${sourcesHash(folder)}`,
  variables: () => {
    const [major, minor] = pinned().split('.');
    const version = { gitVersion: `v${pinned()}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
    return Object.entries(version).map(([name, value]) => `k8s.io/component-base/version.${name}=${value}`);
  },
};

/** @type {import('./go-build.mjs').GoProgram} */
const helm = { name: 'Helm', folder: 'tools/helm', package: 'helm.sh/helm/v3/cmd/helm' };

/** The DNS of a cluster. @type {import('./go-build.mjs').GoProgram} */
const coredns = {
  name: 'CoreDNS',
  folder: 'tools/coredns',
  package: '.',
  version: () =>
    `${requiredVersion('tools/coredns', 'github.com/coredns/coredns')}-${sourcesHash('tools/coredns')}`,
};

/** Vault's Kubernetes auth as a program that Vault starts: its `minimal` build holds none. @type {import('./go-build.mjs').GoProgram} */
const vaultAuth = {
  name: 'vault-plugin-auth-kubernetes',
  folder: 'tools/vault-auth-kubernetes',
  package: 'github.com/hashicorp/vault-plugin-auth-kubernetes/cmd/vault-plugin-auth-kubernetes',
};

/** The Kubernetes that tests start, its DNS, Helm, and Vault's Kubernetes auth; undefined where one is not built. */
export const kubeBinary = () => findBuiltGo(kube);
export const corednsBinary = () => findBuiltGo(coredns);
export const helmBinary = () => findBuiltGo(helm);
export const vaultAuthBinary = () => findBuiltGo(vaultAuth);

/** Whether all of these are built. */
export function kubernetesPrograms() {
  return [kube, coredns, helm, vaultAuth].every((program) => isExecutable(builtGo(program).path));
}

/**
 * Builds what is missing of them, one after the other: each keeps all cores busy, and they share packages. Without Go it says so: the
 * tests with Kubernetes are then skipped. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildKubernetes(signal) {
  const { go, missing } = findGo();
  if (!go) return say(`${missing}: the tests with Kubernetes are skipped; install Go 1.26 or newer`);
  if (!kubeBinary())
    await buildGo(kube, go, {
      expected: '7 to 15 minutes on two cores, seconds with a warm Go cache',
      check: (unfinished) => {
        if (!outputOf(unfinished, ['kubectl', 'version', '--client'])?.includes(`v${pinned()}`))
          throw new SetupError(`what Go built does not answer as kubectl ${pinned()}`);
      },
      signal,
    });
  if (!corednsBinary()) await buildGo(coredns, go, { expected: 'about a minute', signal });
  if (!vaultAuthBinary()) await buildGo(vaultAuth, go, { expected: 'about a minute', signal });
  if (!helmBinary()) await buildGo(helm, go, { expected: '1 to 2 minutes', signal });
}
