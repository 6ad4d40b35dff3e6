import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { freePort } from '../../harness/port.ts';
import { startProcess } from '../../harness/processes.ts';
import { createCa } from '../support/ca.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const recorder = pathToFileURL(here('../support/module-recorder.mjs'));

/** What the sidecar may load from npm: configuration. */
const allowed = /^(convict|lodash\.clonedeep|yargs-parser)$/;
const packagesIn = (loaded: readonly string[]) =>
  new Set(loaded.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []));

describe('the running sidecar', () => {
  it('has loaded nothing of the broker, and from npm only what it is allowed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'signet-lean-'));
    try {
      const loaded = await modulesLoaded(folder);
      const parts = loaded.filter((name) => name.startsWith('NativeModule '));
      assert.ok(parts.includes('NativeModule _http_server'), 'the recorder sees parts of Node');
      // Node's own web client, 4 MB that nothing uses
      assert.deepEqual(
        parts.filter((name) => name.includes('/undici')),
        [],
      );
      const ours = loaded.filter((url) => url.startsWith('file:') && !url.includes('/node_modules/'));
      assert.ok(ours.some((url) => url.endsWith('/sidecar/main.ts')));
      assert.ok(ours.length > 20, `only ${ours.length} modules of ours were seen`);
      assert.deepEqual(
        ours.filter((url) => /\/(broker|cli|setup)\//.test(url)),
        [],
      );
      // of what was not asked for, nothing
      assert.deepEqual(
        ours.filter((url) =>
          /\/(sidecar|lib)\/(telemetry|calls)\/|\/lib\/tpm\/|\/identity\/(tpm\/|x509-)/.test(url),
        ),
        [],
      );
      const packages = packagesIn(loaded);
      assert.ok(packages.has('convict'), 'the recorder sees packages');
      assert.deepEqual(
        [...packages].filter((name) => !allowed.test(name)),
        [],
      );
      assert.ok(
        !ours.some((url) => /\/(sidecar\/users|lib\/token)\//.test(url)),
        'end users were not asked for',
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('has loaded what verifies tokens only where it is told whose to believe', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'signet-lean-'));
    try {
      const users = join(folder, 'users.json');
      const jwks = { url: 'http://127.0.0.1:9/' };
      await writeFile(users, JSON.stringify({ issuers: [{ name: 'a', issuer: 'a', audience: 'b', jwks }] }));
      const loaded = await modulesLoaded(folder, 1, { SIGNET_USERS: users });
      assert.deepEqual(
        [...packagesIn(loaded)].filter((name) => !allowed.test(name)),
        ['jose'],
      );
      assert.ok(!loaded.some((name) => name.startsWith('NativeModule ') && name.includes('/undici')));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('has, where it supervises others, nothing that could hold an identity or a connection', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'signet-lean-'));
    try {
      const loaded = await modulesLoaded(folder, 2);
      assert.ok(loaded.some((url) => url.endsWith('/sidecar/workers/supervisor.ts')));
      assert.deepEqual(
        loaded.filter((url) =>
          /sidecar\/(run|serving|proxies|identity|inbound|outbound|relay|http1\/(?!limits)|http2|audit)\b/.test(
            url,
          ),
        ),
        [],
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

/**
 * Every module that a sidecar with both proxies has loaded once it listens, has tried its broker in vain, and has stopped. Of several
 * workers those of the supervisor, which ends last.
 */
async function modulesLoaded(
  folder: string,
  workers = 1,
  more: Record<string, string> = {},
): Promise<string[]> {
  const [brokerCa, hostKey, policies, list] = ['ca.pem', 'host_key', 'policies.json', 'modules'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  await writeFile(brokerCa, (await createCa()).pem);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', hostKey]);
  await writeFile(policies, '[]');
  await using sidecar = await startProcess({
    args: ['sidecar'],
    env: {
      NODE_OPTIONS: `--import ${recorder}`,
      LOADED_MODULES: list,
      SIGNET_TRUST_DOMAIN: 'example.org',
      SIGNET_BROKER_URL: `https://127.0.0.1:${await freePort()}`,
      SIGNET_BROKER_CA: brokerCa,
      SIGNET_ATTEST: `ssh-host:${hostKey}`,
      SIGNET_WORKERS: String(workers),
      SIGNET_INBOUND: `127.0.0.1:${await freePort()}->127.0.0.1:9`,
      SIGNET_OUTBOUND: `127.0.0.1:${await freePort()}`,
      SIGNET_UPSTREAMS: 'orders=127.0.0.1:9#spiffe://example.org/ns/shop/sa/orders',
      SIGNET_POLICY_FILE: policies,
      SIGNET_AUDIT: join(folder, 'audit'),
      ...more,
    },
  });
  // one of several would listen only once it could serve
  for (const what of workers === 1 ? ['admin', 'inbound', 'outbound'] : ['admin'])
    await sidecar.addressOf(what);
  await sidecar.waitForEvent('renewal_failed');
  assert.equal((await sidecar.stop()).code, 0, sidecar.stderr());
  return (await readFile(list, 'utf8')).split('\n');
}
