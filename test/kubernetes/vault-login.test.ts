import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoggingProcess, runProcess, startProcess } from '../../harness/processes.ts';
import { brokerOf, joinEntry, type TestBroker, until } from '../broker/site.ts';
import { spendGrant } from '../support/attest-client.ts';
import type { TestVault } from '../support/vault.ts';
import { startAuthVault } from './auth-vault.ts';
import { type ApiServer, startApiServer } from './interim.ts';
import { expired, made, makePod, makeServiceAccounts, tokenFor } from './service-accounts.ts';

const TENANT = 'acme/shop=ns/shop/';

describe('a broker that logs in to Vault by Kubernetes auth', function () {
  this.timeout(60_000);
  let api: ApiServer;
  let vault: TestVault;
  let dir: string;
  let tokenFile: string;
  let pod: { name: string; uid: string };
  let running: LoggingProcess | undefined;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'signet-login-'));
    tokenFile = join(dir, 'token');
    [api, vault] = await Promise.all([startApiServer(), startAuthVault()]);
    await makeServiceAccounts(api, {
      signet: ['signet-broker', 'other', 'vault-reviewer'],
      other: ['signet-broker'],
    });
    await made(api, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'vault-reviewer' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects: [{ kind: 'ServiceAccount', name: 'vault-reviewer', namespace: 'signet' }],
    });
    const name = 'broker-1';
    pod = { name, uid: await makePod(api, 'signet', name, 'signet-broker') };
    await put(await tokenFor(api, 'signet', 'signet-broker', { pod }));
  });
  after(async () => {
    await running?.stop();
    await vault?.stop();
    await api?.[Symbol.asyncDispose]();
    await rm(dir, { recursive: true, force: true });
  });

  /** As kubelet does it: at once, by a rename. */
  const put = async (token: string) => {
    await writeFile(`${tokenFile}.new`, token);
    await rename(`${tokenFile}.new`, tokenFile);
  };
  const signet = async (...args: string[]) => {
    const env = { VAULT_ADDR: vault.address, VAULT_TOKEN: vault.rootToken };
    const { code, stdout, stderr } = await runProcess({ args, env, cwd: dir });
    return { code, out: stdout + stderr };
  };
  const launch = async () => {
    running = await startProcess({
      args: ['broker'],
      env: {
        SIGNET_TRUST_DOMAIN: 'example.org',
        VAULT_ADDR: vault.address,
        SIGNET_VAULT_KUBERNETES_TOKEN_FILE: tokenFile,
        SIGNET_LISTEN: '127.0.0.1:0',
        SIGNET_BROKER_DNS: 'localhost',
      },
    });
    return running;
  };
  const logIn = (jwt: string) =>
    vault.request('POST', 'auth/signet-kubernetes/login', { role: 'broker', jwt }, { token: '' });

  it('is known to Vault by what signet vault apply writes, and doctor is content', async () => {
    await writeFile(join(dir, 'ca.pem'), api.caCert);
    await writeFile(
      join(dir, 'reviewer'),
      await tokenFor(api, 'signet', 'vault-reviewer', { audience: api.url }),
    );
    const kubernetes = ['--kubernetes-host', api.url, '--kubernetes-ca', 'ca.pem'];
    const layout = ['--trust-domain', 'example.org', '--tenant', TENANT, '--broker-dns', 'localhost'];
    const apply = ['vault', 'apply', ...layout, ...kubernetes];
    const without = await signet(...apply);
    assert.equal(without.code, 1);
    assert.match(without.out, /--kubernetes-reviewer/);
    const { code, out } = await signet(...apply, '--kubernetes-reviewer', 'reviewer');
    assert.equal(code, 0, out);
    assert.match(out, /^\+ auth\/signet-kubernetes\/role\/broker$/m);
    assert.match((await signet('vault', 'apply')).out, /^no changes$/m);
    const doctor = await signet('vault', 'doctor');
    assert.equal(doctor.code, 0, doctor.out);
  });

  it('is ready, and gives grants', async () => {
    const broker = await readyBroker(await launch());
    await grantBy(broker);
    const { data } = (await vault.request('GET', 'auth/signet-kubernetes/role/broker')).body;
    assert.deepEqual(data.token_policies, ['signet-broker']);
  });

  it('logs in again when Vault has forgotten its token, with what is in the file by then', async () => {
    const broker = await readyBroker(running!);
    await put(await expired(api, await tokenFor(api, 'signet', 'signet-broker', { pod })));
    await revokeAll();
    const refused = await joinBy(broker, 'signet-join-x');
    assert.deepEqual([refused.status, refused.body.code], [503, 'vault_unavailable']);
    const line = await broker.waitForEvent('registrations_unavailable');
    assert.match(JSON.stringify(line), /VAULT_DENIED.*signet-kubernetes/);
    await put(await tokenFor(api, 'signet', 'signet-broker', { pod }));
    await until(async () => (await broker.ready()).status === 200);
    await grantBy(broker);
    const output = broker.stdout() + broker.stderr();
    assert.doesNotMatch(output, /eyJ/, 'a token is in the log');
  });

  it('gives back its log-in when it ends', async () => {
    const accessors = async () =>
      (await vault.request('LIST', 'auth/token/accessors')).body.data.keys.length as number;
    const before = await accessors();
    assert.equal((await running!.stop()).code, 0);
    assert.equal(await accessors(), before - 1);
  });

  describe('and nobody else:', () => {
    const refused: [what: string, token: () => Promise<string>][] = [
      ['another service account of its namespace', () => tokenFor(api, 'signet', 'other')],
      ['a service account of its name in another namespace', () => tokenFor(api, 'other', 'signet-broker')],
      [
        'its token for another audience',
        () => tokenFor(api, 'signet', 'signet-broker', { audience: 'signet' }),
      ],
      ['its token for the API server', () => tokenFor(api, 'signet', 'signet-broker', { audience: api.url })],
      [
        'its token of ten minutes ago',
        async () => expired(api, await tokenFor(api, 'signet', 'signet-broker')),
      ],
      ['a token that is none', async () => 'token'],
    ];
    for (const [what, token] of refused) {
      it(what, async () => {
        assert.equal((await logIn(await tokenFor(api, 'signet', 'signet-broker'))).status, 200);
        const answer = await logIn(await token());
        assert.ok([400, 403, 500].includes(answer.status), JSON.stringify(answer.body));
        assert.equal(answer.body.auth, undefined);
      });
    }
    it('not even its own pod once that is deleted', async () => {
      const uid = await makePod(api, 'signet', 'broker-2', 'signet-broker');
      const token = await tokenFor(api, 'signet', 'signet-broker', { pod: { name: 'broker-2', uid } });
      assert.equal((await logIn(token)).status, 200);
      await api.request('DELETE', '/api/v1/namespaces/signet/pods/broker-2?gracePeriodSeconds=0');
      // The API server remembers what it said of a token for up to ten seconds.
      await until(async () => (await logIn(token)).status === 403, 30_000);
    });
  });

  const revokeAll = async () => {
    const path = 'sys/leases/revoke-prefix/auth/signet-kubernetes/login';
    assert.ok((await vault.request('POST', path, { sync: true })).status < 300);
  };
  const readyBroker = async (process: LoggingProcess): Promise<TestBroker> => {
    const ca = String((await vault.request('GET', 'signet-pki-root/ca/pem')).body);
    const broker = await brokerOf(process, ca);
    await until(async () => (await broker.ready()).status === 200);
    return broker;
  };
  const joinBy = async (broker: TestBroker, code: string) => {
    using client = await broker.connect();
    return await client.attest('join', () => ({ code }));
  };
  const grantBy = async (broker: TestBroker) => {
    const registration = await vault.request('POST', 'auth/token/create', {
      policies: ['signet-registrar-acme.shop'],
      no_parent: true,
      no_default_policy: true,
    });
    const registrar = String(registration.body.auth.client_token);
    const created = await broker.call('POST', '/v1/entries', joinEntry('orders'), registrar);
    assert.ok(created.status < 300, JSON.stringify(created.body));
    const code = await broker.call('POST', '/v1/entries/acme.shop/orders/join-code', {}, registrar);
    assert.equal(code.status, 201, JSON.stringify(code.body));
    const reply = await joinBy(broker, code.body.code);
    assert.equal(reply.status, 201, JSON.stringify(reply.body));
    await spendGrant(vault.request, reply.body);
  };
});
