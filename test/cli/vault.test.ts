import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from '../../harness/processes.ts';
import { startVault, type TestVault } from '../support/vault.ts';

const LAYOUT = {
  trust_domain: 'example.org',
  svid_ttls: ['15m', '1h'],
  tenants: [{ name: 'acme/shop', id_prefixes: ['ns/shop/'] }],
  broker: { dns: ['localhost'] },
};

describe('signet vault', () => {
  let vault: TestVault;
  let dir: string;
  let config: string;
  before(async () => {
    vault = await startVault();
    dir = await mkdtemp(join(tmpdir(), 'signet-cli-vault-'));
    config = join(dir, 'layout.json');
    await writeFile(config, JSON.stringify(LAYOUT));
  });
  after(async () => {
    await vault.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const run = async (args: readonly string[], env: Record<string, string> = {}) => {
    const child = await startProcess({
      args: ['vault', ...args],
      env: { VAULT_ADDR: vault.address, VAULT_TOKEN: vault.rootToken, ...env },
    });
    const { code } = await child.ended;
    return { status: code, out: child.stdout(), err: child.stderr() };
  };

  it('has a help for each command, with the environment it reads', async () => {
    for (const name of ['plan', 'apply', 'doctor', 'broker-credential']) {
      const { status, out } = await run([name, '--help']);
      assert.equal(status, 0);
      assert.match(out, /VAULT_ADDR/);
      assert.match(out, /VAULT_TOKEN/);
    }
  });

  describe('is used wrongly (status 2)', () => {
    it('without an environment: every variable is named', async () => {
      const { status, err } = await run(['doctor'], { VAULT_ADDR: '', VAULT_TOKEN: '' });
      assert.equal(status, 2);
      assert.match(err, /VAULT_ADDR is missing/);
      assert.match(err, /VAULT_TOKEN is missing/);
    });
    it('with an address, a token and a CA file that cannot be: the token is not shown', async () => {
      const env = {
        VAULT_ADDR: 'http://vault.example.org:8200',
        VAULT_TOKEN: 'hvs.with space',
        VAULT_CACERT: '/nowhere/ca.pem',
      };
      const { status, err } = await run(['plan', '--config', config], env);
      assert.equal(status, 2);
      assert.match(err, /VAULT_ADDR is plain http to another machine/);
      assert.match(err, /VAULT_TOKEN is not a token/);
      assert.match(err, /VAULT_CACERT is "\/nowhere\/ca.pem", which is no file/);
      assert.doesNotMatch(err, /with space/);
    });
    it('with a layout that has faults: all are told, by field', async () => {
      const bad = join(dir, 'bad.json');
      await writeFile(bad, JSON.stringify({ ...LAYOUT, trust_domain: 'Example', svid_ttls: ['soon'] }));
      const { status, err } = await run(['apply', '--config', bad]);
      assert.equal(status, 2);
      assert.match(err, /\/trust_domain is not a trust domain/);
      assert.match(err, /\/svid_ttls\/0 is a number with s, m or h/);
    });
    const cases: [what: string, args: string[], says: RegExp][] = [
      ['with a file that is not there', ['apply', '--config', '/nowhere/layout.json'], /--config .*ENOENT/],
      [
        'with two ways of giving a layout',
        ['apply', '--config', 'x', '--trust-domain', 'example.org'],
        /exclude each other/,
      ],
      ['without a layout, on a Vault that has none', ['doctor'], /--config or --trust-domain is needed/],
      [
        'with a tenant that has no prefix',
        ['plan', '--trust-domain', 'example.org', '--tenant', 'acme'],
        /id_prefixes/,
      ],
      [
        'with a signed intermediate that is not there',
        ['plan', '--trust-domain', 'example.org', '--signed-intermediate', '/nowhere'],
        /--signed-intermediate .*ENOENT/,
      ],
      ['with an odd flag', ['plan', '--force'], /unknown option/],
      ['with an odd command', ['destroy'], /unknown command/],
      ['for a credential that goes nowhere', ['broker-credential'], /--out <file> or --wrap <ttl>/],
      [
        'for a credential that goes to two places',
        ['broker-credential', '--out', 'x', '--wrap', '60s'],
        /--out <file> or --wrap <ttl>/,
      ],
    ];
    for (const [what, args, says] of cases) {
      it(what, async () => {
        const { status, err } = await run(args);
        assert.match(err, says);
        assert.equal(status, 2);
      });
    }
    it('and a layout file that is no JSON', async () => {
      const odd = join(dir, 'odd.json');
      await writeFile(odd, '{');
      const { status, err } = await run(['plan', '--config', odd]);
      assert.match(err, /is not JSON/);
      assert.equal(status, 2);
    });
  });

  describe('is refused (status 1)', () => {
    it('by a Vault that is not there', async () => {
      const { status, err } = await run(['plan', '--config', config], { VAULT_ADDR: 'http://127.0.0.1:9' });
      assert.equal(status, 1);
      assert.match(err, /VAULT_UNAVAILABLE/);
    });
    it('with a token that Vault does not know, which is not shown', async () => {
      const { status, err } = await run(['plan', '--config', config], { VAULT_TOKEN: 'hvs.unknown' });
      assert.equal(status, 1);
      assert.match(err, /VAULT_DENIED/);
      assert.match(err, /invalid token/, "Vault's own words");
      assert.doesNotMatch(err, /hvs\.unknown/);
    });
  });

  describe('from nothing', () => {
    it('plans, and changes nothing', async () => {
      const { status, out } = await run(['plan', '--config', config]);
      assert.equal(status, 0);
      assert.match(out, /^\+ sys\/mounts\/signet-pki-root$/m);
      assert.match(out, /^\+ root CA in signet-pki-root: EC P-256/m);
      assert.match(out, /^\d+ changes to make$/m);
      assert.equal((await run(['apply', '--config', config, '--dry-run'])).out, out);
      const { body } = await vault.request('GET', 'sys/mounts');
      assert.ok(!('signet/' in body.data));
    });
    it('applies, telling the same changes; a second time there are none', async () => {
      const planned = (await run(['plan', '--config', config])).out
        .split('\n')
        .filter((line) => /^[+~-] /.test(line));
      const first = await run(['apply', '--config', config]);
      assert.equal(first.status, 0, first.err);
      assert.deepEqual(
        first.out.split('\n').filter((line) => /^[+~-] /.test(line)),
        planned,
      );
      assert.match(first.out, /^\d+ changes made$/m);
      assert.equal((await run(['apply', '--config', config])).out, 'no changes\n');
      assert.equal((await run(['apply'])).out, 'no changes\n', 'the layout is kept in Vault');
      assert.equal((await run(['plan'])).out, 'no changes\n');
    });
    it('takes the same layout by flags', async () => {
      const flags = [
        '--trust-domain',
        'example.org',
        '--ttl',
        '15m',
        '1h',
        '--tenant',
        'acme/shop=ns/shop/',
        '--broker-dns',
        'localhost',
      ];
      assert.equal((await run(['plan', ...flags])).out, 'no changes\n');
      const more = await run(['plan', ...flags, '--tenant', 'acme/pay=ns/pay/,ns/bank/', '--json']);
      const { changes } = JSON.parse(more.out);
      assert.deepEqual(
        changes.map(({ kind, summary }: Record<string, string>) => `${kind} ${summary}`),
        [
          'create sys/policies/acl/signet-registrar-acme.pay',
          'change signet/data/layout: the layout, for plan and doctor',
        ],
      );
    });
  });

  describe('doctor', () => {
    it('finds no fault', async () => {
      const { status, out } = await run(['doctor']);
      assert.equal(status, 0, out);
      assert.match(out, /^no faults, \d warnings?$/m);
      assert.match(out, /^warning vault\.audit$/m);
    });
    it('names a bad setting, what it allows and the fix, and ends with 1; apply mends it', async () => {
      await vault.request('POST', 'signet-transit/keys/policy/config', { deletion_allowed: true });
      const { status, out } = await run(['doctor']);
      assert.equal(status, 1);
      assert.match(out, /^fault transit-policy\.deletion_allowed$/m);
      assert.match(out, /signet-transit\/keys\/policy has deletion_allowed = true in place of false/);
      assert.match(out, /^ {2}allows: one call destroys the key/m);
      assert.match(out, /^ {2}fix: run signet vault apply$/m);
      assert.match(out, /^1 fault, /m);
      const json = await run(['doctor', '--json']);
      assert.equal(json.status, 1);
      assert.deepEqual(
        JSON.parse(json.out).findings.map(({ id }: { id: string }) => id),
        ['transit-policy.deletion_allowed'],
      );
      assert.equal(
        (await run(['apply'])).out,
        '~ signet-transit/keys/policy: deletion_allowed true -> false\n1 change made\n',
      );
      assert.equal((await run(['doctor', '--json'])).status, 0);
    });
  });

  describe('broker-credential', () => {
    it('prints the role_id, and writes a secret_id that logs in to a file of its owner alone', async () => {
      const file = join(dir, 'secret-id');
      const { status, out } = await run(['broker-credential', '--out', file]);
      assert.equal(status, 0);
      const roleId = /^role_id (\S+)$/m.exec(out)?.[1];
      const secretId = (await readFile(file, 'utf8')).trim();
      assert.ok(!out.includes(secretId));
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      const login = await vault.request(
        'POST',
        'auth/signet-approle/login',
        { role_id: roleId, secret_id: secretId },
        { token: '' },
      );
      assert.deepEqual(login.body.auth.policies, ['signet-broker']);
    });
    it('never writes over a file, and makes no secret_id then', async () => {
      const file = join(dir, 'kept');
      await writeFile(file, 'kept');
      const count = async () =>
        (await vault.request('GET', 'auth/signet-approle/role/broker/secret-id?list=true')).body.data.keys
          .length;
      const before = await count();
      const { status, err } = await run(['broker-credential', '--out', file]);
      assert.equal(status, 1);
      assert.match(err, /is there already/);
      assert.equal(await readFile(file, 'utf8'), 'kept');
      assert.equal(await count(), before);
    });
    it('leaves no file behind when Vault refuses', async () => {
      const file = join(dir, 'refused');
      assert.equal(
        (await run(['broker-credential', '--out', file], { VAULT_TOKEN: 'hvs.unknown' })).status,
        1,
      );
      await assert.rejects(stat(file), { code: 'ENOENT' });
    });
    it('wraps it on demand, so that it is seen once', async () => {
      const { status, out } = await run(['broker-credential', '--wrap', '60s']);
      assert.equal(status, 0);
      const token = /^secret_id, wrapped (\S+)$/m.exec(out)?.[1] ?? '';
      const opened = await vault.request('POST', 'sys/wrapping/unwrap', undefined, { token });
      assert.match(opened.body.data.secret_id, /^[0-9a-f-]{36}$/);
      assert.equal((await vault.request('POST', 'sys/wrapping/unwrap', undefined, { token })).status, 400);
    });
  });

  describe('with a root kept elsewhere', () => {
    it('prints the request to sign, every time until it is signed', async () => {
      for (const mount of ['signet-pki', 'signet-pki-root'])
        await vault.request('DELETE', `sys/mounts/${mount}`);
      const flags = ['--trust-domain', 'example.org', '--tenant', 'acme/shop=ns/shop/', '--no-root'];
      const first = await run(['apply', ...flags]);
      assert.equal(first.status, 0, first.err);
      assert.doesNotMatch(first.out, /signet-pki-root/);
      for (const { out } of [first, await run(['apply'])]) {
        assert.match(out, /path length 0 with the URI SAN spiffe:\/\/example\.org/);
        assert.match(out, /-----BEGIN CERTIFICATE REQUEST-----/);
      }
    });
  });
});
