import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'mocha';
import { createRedeeming, type Redeeming } from '../../../broker/delegations/redeem.ts';
import { Problem } from '../../../broker/problem.ts';
import { type Vault, VaultError, type VaultErrorCode } from '../../../lib/adapter/vault.ts';
import { Secret } from '../../../lib/secret.ts';
import { TestIssuer } from '../../sidecar/users/issuer.ts';
import { silentLog } from '../../support/silent-log.ts';

const HOUR = 3_600;

/** A KV store that knows check-and-set and folders, as far as the broker uses it. */
class Store {
  readonly documents = new Map<string, unknown>();

  async call(method: string, path: string, body?: object): Promise<never> {
    const [, kind, name = ''] = /^signet\/(data|metadata)\/(.*)$/.exec(path) ?? [];
    if (method === 'LIST') {
      const below = [...this.documents.keys()]
        .filter((key) => key.startsWith(name))
        .map((key) => key.slice(name.length));
      const keys = new Set(below.map((key) => key.replace(/(?<=\/).*/, '')));
      return { data: { keys: [...keys] } } as never;
    }
    if (method === 'DELETE') this.documents.delete(name);
    if (method === 'POST') {
      if (this.documents.has(name)) throw new VaultError('VAULT_CAS_CONFLICT', path);
      this.documents.set(name, (body as { data: unknown }).data);
      return { data: { version: 1 } } as never;
    }
    if (kind === 'data' && method === 'GET' && !this.documents.has(name))
      throw new VaultError('VAULT_NOT_FOUND', path);
    return { data: { data: this.documents.get(name), metadata: { version: 1 } } } as never;
  }

  get spent(): string[] {
    return [...this.documents.keys()].filter((key) => key.startsWith('runs/'));
  }
}

describe("a run's token, when something is wrong on the way", () => {
  let issuer: TestIssuer;
  let store: Store;
  let redeeming: Redeeming;
  let logIn: () => readonly string[] = () => [];
  let revoked: string[] = [];
  let counted: string[] = [];

  before(async () => {
    issuer = await TestIssuer.start();
  });
  after(async () => {
    redeeming?.[Symbol.dispose]();
    await issuer[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    store = new Store();
    revoked = [];
    counted = [];
    logIn = () => ['signet-run-job_write'];
    store.documents.set('delegations/job', {
      name: 'job',
      issuer: { name: 'ci', url: issuer.url, jwks_url: `${issuer.url}/jwks` },
      ...{
        audience: 'signet',
        claims: { job: 'deploy' },
        tenant: 'acme/shop',
        id_prefixes: ['ns/shop/'],
        ttl: '30m',
      },
    });
    const vault = {
      request: async (_: string, path: string, __: object, call?: { token?: Secret }) => {
        if (path === 'auth/token/revoke-self') revoked.push(call?.token?.reveal() ?? '');
        else assert.equal(path, 'auth/signet-jwt-ci/login');
        const token = new Secret('given');
        return { data: {}, warnings: [], auth: { token, policies: logIn(), leaseSeconds: 1_800 } };
      },
    } as unknown as Vault;
    redeeming?.[Symbol.dispose]();
    redeeming = createRedeeming({
      vault,
      session: store,
      clock: { now: () => new Date() },
      log: silentLog,
      count: (outcome) => void counted.push(outcome),
    });
  });

  const token = () =>
    issuer.token({ aud: 'signet', job: 'deploy', jti: crypto.randomUUID() }, { typ: 'JWT' });
  const outcome = async (text: string) => {
    try {
      const { access } = await redeeming.redeem({
        ...{ delegation: 'job', token: new Secret(text), source: '192.0.2.1', correlationId: 'c' },
      });
      return access;
    } catch (error) {
      assert.ok(error instanceof Problem, String(error));
      return error.code;
    }
  };
  const failing = (code: VaultErrorCode) => () => {
    throw new VaultError(code, 'as told');
  };

  it('is good again when Vault could not be reached, and only then', async () => {
    for (const code of [
      'VAULT_UNAVAILABLE',
      'VAULT_TIMEOUT',
      'VAULT_SEALED',
      'VAULT_RATE_LIMITED',
    ] as const) {
      const text = token();
      logIn = failing(code);
      assert.equal(await outcome(text), 'vault_unavailable');
      assert.deepEqual(store.spent, []);
      logIn = () => ['signet-run-job_write'];
      assert.equal(await outcome(text), 'write');
      store.documents.delete(store.spent[0] ?? '');
    }
    for (const code of ['VAULT_DENIED', 'VAULT_BAD_REQUEST', 'VAULT_NOT_FOUND'] as const) {
      const text = token();
      logIn = failing(code);
      assert.equal(await outcome(text), 'run_not_delegated');
      assert.equal(await outcome(text), 'run_token_spent');
    }
  });

  it('gives nothing when Vault gives other rights than the delegation says', async () => {
    for (const policies of [['signet-run-job_write', 'signet-admin'], ['signet-registrar-acme.shop'], []]) {
      logIn = () => policies;
      assert.equal(await outcome(token()), 'run_not_delegated');
    }
    assert.deepEqual(revoked, ['given', 'given', 'given']);
    assert.deepEqual(counted, Array(3).fill('run_not_delegated'));
  });

  it('is not spent while the keys of its issuer cannot be had', async () => {
    const { answer } = issuer;
    issuer.answer = (_, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    const text = token();
    assert.equal(await outcome(text), 'issuer_unavailable');
    assert.deepEqual(store.spent, []);
    issuer.answer = answer;
  });

  it('opens no delegation that cannot be read, and none under the name of another', async () => {
    const good = store.documents.get('delegations/job') as object;
    for (const bad of [{}, null, { ...good, name: 'other' }, { ...good, claims: {} }]) {
      store.documents.set('delegations/job', bad);
      assert.equal(await outcome(token()), 'run_not_delegated');
    }
  });

  it('is forgotten when it has run out long ago, and no other', async () => {
    const hour = Math.floor(Date.now() / 1_000 / HOUR);
    const at = (past: number) => `runs/${hour - past}/${'a'.repeat(64)}`;
    for (const past of [-1, 0, 1, 2, 30]) store.documents.set(at(past), {});
    store.documents.set('runs/odd/name', {});
    assert.equal(await outcome(token()), 'write');
    const end = performance.now() + 5_000;
    while (store.documents.has(at(30)) || store.documents.has(at(2))) {
      assert.ok(performance.now() < end);
      await new Promise(setImmediate);
    }
    for (const past of [-1, 0, 1]) assert.ok(store.documents.has(at(past)));
    assert.ok(store.documents.has('runs/odd/name'));
  });
});
