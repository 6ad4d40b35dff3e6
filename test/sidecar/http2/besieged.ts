import { type ChildProcess, fork } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { type Credentials, createCredentials } from '../../../sidecar/identity/credentials.ts';
import { WEB } from '../support.ts';

export type Started = {
  readonly address: string;
  readonly key: string;
  readonly certChainPem: string;
  readonly bundlePem: string;
};

export type Memory = {
  readonly rss: number;
  /** By heap, buffers and native parts that Node knows of, garbage not counted. */
  readonly held: number;
  readonly connections: number;
};

/** An inbound proxy with its app in a process of its own. */
export type Besieged = AsyncDisposable & {
  readonly address: string;
  readonly web: Credentials;
  memory(): Promise<Memory>;
};

const PROGRAM = fileURLToPath(new URL('besieged-proxy.ts', import.meta.url));

/** `app` is what the app speaks. `/large` there has 8 MiB, `/held` no answer, all else a short one. */
export async function besieged(app: 'http/1.1' | 'h2c'): Promise<Besieged> {
  const child = fork(PROGRAM, [app], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const said = async <T>() => (await once(child, 'message'))[0] as T;
  const { address, key, ...chain } = await said<Started>();
  const web = createCredentials();
  const now = Date.now();
  web.publish({
    id: parseSpiffeId(WEB),
    serial: '01',
    key: createPrivateKey(key),
    ...chain,
    issuedAt: new Date(now),
    notAfter: new Date(now + 3_600_000),
  });
  return {
    address,
    web,
    memory() {
      child.send('memory');
      return said<Memory>();
    },
    [Symbol.asyncDispose]: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  const end = once(child, 'exit');
  child.kill('SIGKILL');
  await end;
}
