import { setTimeout as sleep } from 'node:timers/promises';
import { kubeBinary } from '../../setup/kubernetes.mjs';
import { type Child, startChild } from '../child.ts';

const LOOK_MS = 50;

/** Starts a component of Kubernetes. @throws where set-up has built none */
export async function startComponent(
  name: string,
  flags: Readonly<Record<string, string>>,
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Child> {
  const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
  const env = { ...environment(options.cwd), ...options.env };
  return startChild(kube(), [name, ...args], { cwd: options.cwd, env });
}

/** Runs kubectl with a kubeconfig, to its end. @throws with what it said when it fails */
export async function runKubectl(
  kubeconfig: string,
  home: string,
  args: readonly string[],
  input = '',
): Promise<string> {
  const env = { ...environment(home), KUBECONFIG: kubeconfig };
  const child = await startChild(kube(), ['kubectl', ...args], { env });
  child.stdin.end(input);
  const { code, signal } = await child.ended;
  if (code !== 0)
    throw new Error(
      `kubectl ${args.join(' ')} failed (${signal ?? code}):\n${child.stderr()}${child.stdout()}`,
    );
  return child.stdout();
}

/** Waits until `ready` says so. @throws with the component's output when it ends or takes too long */
export async function untilReady(
  what: string,
  child: Child,
  ready: () => Promise<boolean>,
  patience = 60_000,
): Promise<void> {
  let ended = false;
  void child.ended.then(() => {
    ended = true;
  });
  for (const end = Date.now() + patience; !(await ready().catch(() => false)); await sleep(LOOK_MS)) {
    if (!ended && Date.now() < end) continue;
    const why = ended ? 'ended' : `was not ready in ${patience} ms`;
    throw new Error(`${what} ${why}; its output:\n${child.stdout()}${child.stderr()}`);
  }
}

function kube(): string {
  const binary = kubeBinary();
  if (!binary) throw new Error('there is no Kubernetes here yet: run `npm run setup test` first');
  return binary;
}

/** etcd reads every `ETCD_*`, kubectl `KUBE*`; both leave things in a home. */
function environment(home: string) {
  const ours = Object.entries(process.env).filter(
    ([name]) => !/^(ETCD|KUBE|SIGNET|VAULT)|_proxy$/i.test(name),
  );
  return { ...Object.fromEntries(ours), HOME: home };
}
