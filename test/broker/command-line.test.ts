import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { runProcess } from '../../harness/processes.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../support/ssh-keygen.ts';
import { hostEntry, openSite, type Site, type TestBroker } from './site.ts';

describe('signet entry, grant and explain, against a real broker', function () {
  this.timeout(60_000);
  let site: Site;
  let broker: TestBroker;
  let ssh: SshKeygen;
  let key: SshKey;
  let caFile: string;
  before(async () => {
    site = await openSite();
    broker = await site.startBroker();
    ssh = await sshKeygen();
    key = await ssh.newKey('host');
    caFile = join(site.dir, 'root.pem');
    await writeFile(caFile, site.ca);
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await ssh?.[Symbol.asyncDispose]();
  });

  const signet = (
    args: readonly string[],
    more: { token?: string; input?: string; env?: Record<string, string> } = {},
  ) =>
    runProcess({
      args,
      env: {
        SIGNET_BROKER_URL: `https://${broker.address}`,
        SIGNET_BROKER_CA: caFile,
        SIGNET_TRUST_DOMAIN: 'example.org',
        VAULT_ADDR: site.vault.address,
        VAULT_TOKEN: more.token ?? site.registrar.shop,
        ...more.env,
      },
      input: more.input ?? '',
    });
  const fine = async (args: readonly string[], more = {}) => {
    const { code, stdout, stderr } = await signet(args, more);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  it('register by a file and by options, list, show, disable, enable, delete', async () => {
    const file = join(site.dir, 'entry.json');
    await writeFile(file, JSON.stringify(hostEntry('by-file', { 'ssh-host:key': 'SHA256:by-file' })));
    await fine(['entry', 'create', '--file', file]);
    await fine([
      ...['entry', 'create', '--name', 'acme/shop/by-key', '--ssh-host-key', `${key.file}.pub`],
      ...['--spiffe-id', 'spiffe://example.org/ns/shop/sa/by-key', '--ttl', '15m'],
    ]);
    const listed = await fine(['entry', 'list', '--tenant', 'acme/shop']);
    assert.match(listed, /^acme\/shop\/by-file active spiffe:/m);
    assert.match(
      listed,
      new RegExp(`^acme/shop/by-key active .*${key.fingerprint.replaceAll(/[+/]/g, '\\$&')}$`, 'm'),
    );
    assert.match(await fine(['entry', 'disable', 'acme/shop/by-file']), / disabled /);
    assert.match(await fine(['entry', 'enable', 'acme/shop/by-file']), / active /);
    const shown = JSON.parse(await fine(['entry', 'show', 'acme/shop/by-file', '--json']));
    assert.equal(shown.state, 'active');
    const changed = JSON.stringify({ ...shown, ttl: '1h' });
    assert.match(await fine(['entry', 'update', '--file', '-'], { input: changed }), / active .* 1h /);
    await fine([
      ...['entry', 'update', '--name', 'acme/shop/by-key', '--ssh-host-key', `${key.file}.pub`],
      ...['--spiffe-id', 'spiffe://example.org/ns/shop/sa/by-key', '--ttl', '1h'],
    ]);
    assert.equal(await fine(['entry', 'delete', 'acme/shop/by-file']), 'deleted acme/shop/by-file\n');
    const { code, stderr } = await signet(['entry', 'show', 'acme/shop/by-file']);
    assert.deepEqual([code, stderr.includes('entry_not_found')], [1, true], stderr);
  });
  it('give a machine a time, and tell whether it has appeared', async () => {
    const at = ['--name', 'acme/shop/awaited', '--selector', 'join:entry=acme/shop/awaited', '--ttl', '15m'];
    const entry = [...at, '--spiffe-id', 'spiffe://example.org/ns/shop/sa/awaited'];
    await fine(['entry', 'create', ...entry, '--appear-within', '30m']);
    const shown = JSON.parse(await fine(['entry', 'show', 'acme/shop/awaited', '--json']));
    assert.equal(shown.appeared_at, null);
    assert.ok(
      Math.abs(new Date(shown.appear_by).getTime() - Date.now() - 1_800_000) < 120_000,
      shown.appear_by,
    );
    await fine(['entry', 'update', ...entry, '--appear-by', '2099-01-01T00:00:00Z']);
    const waits = await fine(['entry', 'show', 'acme/shop/awaited']);
    assert.match(waits, /, not appeared, has until 2099-01-01T00:00:00Z$/m);
    const code = (await fine(['entry', 'join-code', 'acme/shop/awaited'])).trim();
    await fine(['grant', 'request', '--attest', 'join:-'], { input: code });
    assert.match(await fine(['entry', 'show', 'acme/shop/awaited']), /, appeared 20\d\d-/);
    const wrong = await signet(['entry', 'create', ...entry, '--appear-within', 'soon']);
    assert.deepEqual([wrong.code, wrong.stderr.includes('--appear-within')], [2, true], wrong.stderr);
  });
  it('say what Vault denies, and what is malformed, field by field', async () => {
    const denied = await signet(['entry', 'list', '--tenant', 'acme/shop'], { token: site.registrar.globex });
    assert.deepEqual([denied.code, denied.stderr.includes('vault_denied')], [1, true], denied.stderr);
    const entry = JSON.stringify({
      ...hostEntry('x', { 'ssh-host:key': 'k' }),
      tenant: 'A',
      networks: ['n'],
    });
    const bad = await signet(['entry', 'create', '--file', '-'], { input: entry });
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /\/tenant [\s\S]*\/networks\/0 /);
  });
  it('ask for a grant and redeem it, once; a second time it is a theft, and the broker knows', async () => {
    const granted = await fine(['grant', 'request', '--attest', `ssh-host:${key.file}`, '--json']);
    const file = join(site.dir, 'grant.json');
    await writeFile(file, granted, { mode: 0o600 });
    assert.match(
      await fine(['grant', 'redeem', '--file', file]),
      /^spiffe:\/\/example\.org\/ns\/shop\/sa\/by-key serial /,
    );
    const again = await signet(['grant', 'redeem', '--file', file]);
    assert.deepEqual([again.code, again.stderr.includes('GRANT_STOLEN')], [1, true], again.stderr);
    await broker.waitForEvent('theft_alarm');
  });
  it('explain a refusal by what differed', async () => {
    const stranger = await ssh.newKey('stranger');
    const refused = await signet(['grant', 'request', '--attest', `ssh-host:${stranger.file}`]);
    assert.deepEqual([refused.code, refused.stderr.includes('no_entry')], [1, true], refused.stderr);
    const { correlation_id } = await broker.waitForEvent('refused', ({ outcome }) => outcome === 'no_entry');
    const explained = await fine(['explain', String(correlation_id)]);
    assert.match(explained, /^ssh-host: no_entry/);
    assert.ok(
      explained.includes(`wants ssh-host:key = ${key.fingerprint}, shown ${stranger.fingerprint}`),
      explained,
    );
  });
  it('make a join code that a machine can use', async () => {
    const entry = hostEntry('joiner', { 'join:entry': 'acme/shop/joiner' });
    await fine(['entry', 'create', '--file', '-'], { input: JSON.stringify(entry) });
    const code = await fine(['entry', 'join-code', 'acme/shop/joiner', '--ttl', '60']);
    assert.match(
      await fine(['grant', 'request', '--attest', 'join:-'], { input: code }),
      /^spiffe:\/\/example\.org\/ns\/shop\/sa\/joiner /,
    );
  });
  it('believe no other than the broker', async () => {
    const other = await openSite();
    const otherCa = join(site.dir, 'other.pem');
    await writeFile(otherCa, other.ca);
    await other[Symbol.asyncDispose]();
    const { code, stderr } = await signet(['entry', 'list'], { env: { SIGNET_BROKER_CA: otherCa } });
    assert.deepEqual([code, stderr.includes('BROKER_UNTRUSTED')], [1, true], stderr);
    const domain = await signet(['entry', 'list'], { env: { SIGNET_TRUST_DOMAIN: 'example.com' } });
    assert.deepEqual([domain.code, domain.stderr.includes('BROKER_UNTRUSTED')], [1, true], domain.stderr);
  });
  it('name every variable that is missing, and end with 2', async () => {
    const { code, stderr } = await runProcess({ args: ['entry', 'list'] });
    assert.equal(code, 2);
    for (const name of ['SIGNET_BROKER_URL', 'SIGNET_BROKER_CA', 'SIGNET_TRUST_DOMAIN'])
      assert.ok(stderr.includes(name), stderr);
  });
});
