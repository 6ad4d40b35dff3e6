import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { after, before, describe, it } from 'mocha';
import { hostEntry, joinEntry, openSite, type Site, type TestBroker } from '../broker/site.ts';
import { spendGrant, svidKey } from '../support/attest-client.ts';
import { sshKeygen } from '../support/ssh-keygen.ts';

/** Everything that the broker was told in confidence, while it did everything it can do, at the most talkative level of its log. */
describe("the broker's log, environment and files", function () {
  this.timeout(60_000);
  let site: Site;
  let broker: TestBroker;
  const secrets = new Map<string, string>();
  before(async () => {
    site = await openSite();
    broker = await site.startBroker({ SIGNET_LOG_LEVEL: 'debug' });
    await using ssh = await sshKeygen();
    const key = await ssh.newKey('host');
    const token = site.registrar.shop;
    secrets.set("the registrar's token", token);
    await broker.call('POST', '/v1/entries', hostEntry('host', { 'ssh-host:key': key.fingerprint }), token);
    await broker.call('POST', '/v1/entries', joinEntry('joined'), token);
    await broker.call('POST', '/v1/entries', hostEntry('host', { 'ssh-host:key': 'x' }), 'hvs.some-stranger');
    secrets.set("a stranger's token", 'hvs.some-stranger');

    using client = await broker.connect();
    let signature = '';
    const good = await client.attest('ssh-host', async (proof) => ({
      signature: (signature = await key.sign(proof)),
    }));
    secrets.set('a signature', signature.split('\n')[2] ?? '');
    secrets.set('a wrapping token', good.body.grant.wrapping_token);
    secrets.set('the exporter', client.exporter.toString('hex'));
    await broker.call('POST', '/v1/alarms', {
      correlation_id: good.body.correlation_id,
      wrapping_token: good.body.grant.wrapping_token,
    });
    await broker.call('POST', '/v1/alarms', {
      correlation_id: good.body.correlation_id,
      wrapping_token: 'hvs.misplaced',
    });
    secrets.set('a misplaced token', 'hvs.misplaced');

    const code = (await broker.call('POST', '/v1/entries/acme.shop/joined/join-code', {}, token)).body.code;
    secrets.set('a join code', code.split('.').slice(2).join('.'));
    const joined = await client.attest('join', () => ({ code }));
    await client.attest('join', () => ({ code }));
    const svid = await spendGrant(site.vault.request, joined.body);
    secrets.set("a workload's key", svid.key.split('\n')[1] ?? '');
    using renewing = await broker.connect({ shown: svid });
    const { instance } = joined.body;
    const renewal = () => ({
      instance_id: instance.id,
      generation: instance.generation,
      next_key: svidKey().hash,
    });
    await renewing.attest('svid', renewal);
    await renewing.attest('svid', renewal);

    const secretId = await readFile(`${site.dir}/secret-id`, 'utf8');
    secrets.set('its secret id', secretId.trim());
    const accessors = (await site.vault.request('LIST', 'auth/token/accessors')).body.data.keys;
    assert.ok(accessors.length > 0);
  });
  after(() => site?.[Symbol.asyncDispose]());

  it('hold none of it', async () => {
    const output = broker.stdout() + broker.stderr();
    assert.match(output, /"event":"granted"/);
    assert.match(output, /"event":"join_code_alarm"/);
    assert.match(output, /"event":"theft_alarm"/);
    assert.match(output, /"event":"clone_alarm"/);
    const environment = await readFile(`/proc/${broker.pid}/environ`, 'utf8');
    const args = await readFile(`/proc/${broker.pid}/cmdline`, 'utf8');
    for (const [what, secret] of secrets) {
      assert.ok(secret.length >= 8, what);
      for (const [where, text] of Object.entries({ output, environment, args })) {
        assert.ok(!text.includes(secret), `${what} in its ${where}`);
      }
    }
    assert.doesNotMatch(output, /hvs\.|PRIVATE KEY|SSH SIGNATURE|sj1\./);
  });
  it('are written in one way: one JSON object to a line, and no file is open for writing', async () => {
    for (const line of broker.stderr().trim().split('\n'))
      assert.equal(typeof JSON.parse(line).event, 'string');
    const open = await readdir(`/proc/${broker.pid}/fdinfo`);
    for (const fd of open) {
      const flags =
        /flags:\s+(\d+)/.exec(await readFile(`/proc/${broker.pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
      const target = await readlink(`/proc/${broker.pid}/fd/${fd}`);
      const writable = (Number.parseInt(flags, 8) & 3) !== 0;
      assert.ok(
        !(writable && target.startsWith('/') && !target.startsWith('/dev/')),
        `${target} is open for writing`,
      );
    }
  });
});
