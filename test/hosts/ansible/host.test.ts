import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../../../harness/child.ts';
import { type SshKey, type SshKeygen, sshKeygen } from '../../support/ssh-keygen.ts';
import { openStage, type Stage } from './stage.ts';

const NAMESPACE = 'signet-host-key-rotation-v1';

describe('signet_host, with the real Vault, broker, ssh-keygen and ansible-playbook', function () {
  this.timeout(120_000);
  let stage: Stage;
  let keygen: SshKeygen;
  const keys: Record<string, SshKey> = {};
  before(async function () {
    const opened = await openStage();
    if (opened === undefined) this.skip();
    stage = opened;
    keygen = await sshKeygen();
    for (const name of ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'stranger'])
      keys[name] = await keygen.newKey(name);
    keys['ecdsa'] = await keygen.newKey('ecdsa', 'ecdsa');
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await keygen?.[Symbol.asyncDispose]();
  });

  const line = async (name: string, key: string) => {
    const [type, base64] = (await readFile(`${keys[key]!.file}.pub`, 'utf8')).split(' ');
    return `${name} ${type} ${base64}\n`;
  };
  /** A file that pins these keys, `name=key`. */
  const pinning = async (file: string, ...pins: readonly string[]) => {
    const path = join(stage.ansible.dir, file);
    const lines = await Promise.all(pins.map((pin) => line(...(pin.split('=') as [string, string]))));
    await writeFile(path, lines.join(''));
    return path;
  };
  const host = (name: string, known: string, change: object = {}) => ({
    name: 'it',
    'signet.identity.signet_host': {
      ...{ tenant: 'acme/shop', name, spiffe_id: `spiffe://example.org/ns/shop/host/${name}` },
      ...{ known_as: 'web.example.org', known_hosts: [known], ...change },
    },
  });
  const done = async (...tasks: object[]) => {
    const ran = await stage.operate(tasks);
    assert.equal(ran.code, 0, ran.out);
  };
  const registered = async (name: string) => (await stage.entry(name))?.match['ssh-host:key'];

  it('registers the pinned key of each host of the play, hashed or not, by the name that ssh looks for', async () => {
    const known = await pinning(
      'known',
      'web-1=one',
      '[10.0.0.2]:2222=two',
      'web-1=ecdsa',
      '10.0.0.2=stranger',
    );
    assert.equal((await (await startChild('ssh-keygen', ['-q', '-H', '-f', known])).ended).code, 0);
    assert.doesNotMatch(await readFile(known, 'utf8'), /web-1/);
    const task = {
      name: 'it',
      'signet.identity.signet_host': {
        ...{ tenant: 'acme/shop', name: '{{ inventory_hostname }}', known_hosts: [known] },
        ...{ spiffe_id: 'spiffe://example.org/ns/shop/host/{{ inventory_hostname }}', appear_within: '24h' },
      },
    };
    const hosts = ['web-1', 'web-2 ansible_host="{{ address }}" address=10.0.0.2 ansible_port=2222'];
    const planned = await stage.operate([task], { hosts, args: ['--check'] });
    assert.equal(planned.of('it', 'web-1').changed, true, planned.out);
    assert.equal(await registered('web-1'), undefined);
    const made = await stage.operate([task], { hosts });
    assert.deepEqual(made.of('it', 'web-1').ssh_host_key, {
      fingerprint: keys['one']!.fingerprint,
      type: 'ssh-ed25519',
    });
    assert.equal(await registered('web-1'), keys['one']!.fingerprint);
    assert.equal(await registered('web-2'), keys['two']!.fingerprint);
    const { appear_by } = await stage.entry('web-1');
    const within = (Date.parse(appear_by) - Date.now()) / 3_600_000;
    assert.ok(within > 23.9 && within <= 24, appear_by);
    const again = await stage.operate([task], { hosts });
    assert.match(again.out, /web-1 +: ok=1 +changed=0 /, 'the time is reckoned once');
    const other = host('web-1', known, { known_as: 'web-1', key_type: 'ecdsa' });
    assert.equal((await stage.operate([other])).of('it').code, 'host_key_differs');
    const gone = { state: 'absent' };
    for (const changed of [true, false])
      assert.equal((await stage.operate([host('web-1', known, gone)])).of('it').changed, changed);
    assert.equal(await registered('web-1'), undefined);
  });

  it('refuses a key that is not pinned, pinned twice, revoked or a CA’s', async () => {
    const pin = await line('web.example.org', 'one');
    const second = await line('web.example.org', 'two');
    const cases: readonly [text: string, code: string][] = [
      ['', 'key_not_pinned'],
      [`@cert-authority ${pin}`, 'key_not_pinned'],
      [pin + second, 'key_ambiguous'],
      [`${pin}@revoked ${await line('*', 'one')}`, 'key_revoked'],
      [pin.replace('ssh-ed25519', 'ecdsa-sha2-nistp256'), 'key_not_pinned'],
    ];
    const tasks = await Promise.all(
      cases.map(async ([text], i) => {
        const file = join(stage.ansible.dir, `refused-${i}`);
        await writeFile(file, text);
        return { ...host('refused', file), name: `case ${i}`, ignore_errors: true };
      }),
    );
    const ran = await stage.operate(tasks);
    for (const [i, [, code]] of cases.entries()) assert.equal(ran.of(`case ${i}`).code, code, ran.out);
    const none = await stage.operate([host('refused', '/no/such/file')]);
    assert.deepEqual([none.of('it').code, none.of('it').option], ['option_unusable', 'known_hosts']);
    assert.equal(await stage.entry('refused'), undefined);
  });

  it('refuses a host whose pinned key is another than the registered one, and says so', async () => {
    const name = 'web-3';
    await done(host(name, await pinning('first', 'web.example.org=four')));
    const known = await pinning('second', 'web.example.org=five');
    const ran = await stage.operate([host(name, known)]);
    assert.notEqual(ran.code, 0);
    const { code, msg } = ran.of('it');
    assert.equal(code, 'host_key_differs');
    assert.ok(msg.includes(keys['four']!.fingerprint) && msg.includes(keys['five']!.fingerprint), msg);
    assert.match(msg, /Another machine may answer in its place/);
    assert.equal((await stage.operate([host(name, known)], { args: ['--check'] })).of('it').code, code);
    assert.equal(await registered(name), keys['four']!.fingerprint);
    // the operator's own word
    const operator = { replace: 'operator' };
    assert.equal((await stage.operate([host(name, known, operator)])).of('it').changed, true);
    assert.equal(await registered(name), keys['five']!.fingerprint);
    assert.equal((await stage.operate([host(name, known, operator)])).of('it').changed, false);
  });

  it('takes up a key that the old one has signed for, on the host', async () => {
    const name = 'web-4';
    await done(host(name, await pinning('first', 'web.example.org=six')));
    const known = await pinning('second', 'web.example.org=seven');
    const rotated = (more: object) => host(name, known, { replace: 'rotated_key', ...more });
    const refused: readonly [what: string, more: object, code: string][] = [
      ['nothing shown', {}, 'option_missing'],
      ['by a stranger', { old_key_file: keys['stranger']!.file }, 'rotation_unproven'],
      ['by the new key itself', { old_key_file: keys['seven']!.file }, 'rotation_unproven'],
      ['by a key that is not there', { old_key_file: '/no/such/key' }, 'rotation_unproven'],
    ];
    const ran = await stage.operate(
      refused.map(([what, more]) => ({ ...rotated(more), name: what, ignore_errors: true })),
    );
    for (const [what, , code] of refused) assert.equal(ran.of(what).code, code, ran.out);
    assert.equal(await registered(name), keys['six']!.fingerprint);
    const file = { old_key_file: keys['six']!.file };
    assert.equal((await stage.operate([rotated(file)], { args: ['--check'] })).of('it').changed, true);
    assert.equal(await registered(name), keys['six']!.fingerprint);
    assert.equal((await stage.operate([rotated(file)])).of('it').changed, true);
    assert.equal(await registered(name), keys['seven']!.fingerprint);
    assert.equal((await stage.operate([rotated(file)])).of('it').changed, false);
  });

  it('takes a proof that was made ahead, for this host, trust domain and key alone', async () => {
    const name = 'web-5';
    await done(host(name, await pinning('first', 'web.example.org=ecdsa')));
    const known = await pinning('second', 'web.example.org=three');
    const [old, now] = [keys['ecdsa']!, keys['three']!];
    const text = (change: Record<string, string> = {}) => {
      const said = {
        domain: 'example.org',
        ref: `acme/shop/${name}`,
        old: old.fingerprint,
        now: now.fingerprint,
      };
      const { domain, ref, old: was, now: is } = { ...said, ...change };
      return Buffer.from(`${NAMESPACE}\n${domain}\n${ref}\n${was}\n${is}\n`);
    };
    const good = await old.sign(text(), NAMESPACE);
    const proofs = {
      'another host': await old.sign(text({ ref: 'acme/shop/web-4' }), NAMESPACE),
      'another trust domain': await old.sign(text({ domain: 'other.org' }), NAMESPACE),
      'another key': await old.sign(text({ now: keys['stranger']!.fingerprint }), NAMESPACE),
      'another namespace': await old.sign(text()),
      "a stranger's": await keys['stranger']!.sign(text(), NAMESPACE),
      'no signature': 'yes',
      'half of one': good.slice(0, 150),
      'a changed one': good.replace(/^(.{40})(.)/m, (_, head, each) => head + (each === 'A' ? 'B' : 'A')),
    };
    const task = (rotation_proof: string) => host(name, known, { replace: 'rotated_key', rotation_proof });
    const ran = await stage.operate(
      Object.entries(proofs).map(([what, proof]) => ({ ...task(proof), name: what, ignore_errors: true })),
    );
    for (const what of Object.keys(proofs)) assert.equal(ran.of(what).code, 'rotation_unproven', ran.out);
    assert.equal(await registered(name), old.fingerprint);
    assert.equal((await stage.operate([task(good)])).of('it').changed, true);
    assert.equal(await registered(name), now.fingerprint);
  });

  it('leaves an entry alone that is no host', async () => {
    const match = { 'join:entry': 'acme/shop/other' };
    const spiffe_id = 'spiffe://example.org/ns/shop/sa/other';
    const tasks = [
      {
        name: 'made',
        'signet.identity.signet_entry': { tenant: 'acme/shop', name: 'other', spiffe_id, match },
      },
    ];
    await done(...tasks);
    const known = await pinning('first', 'web.example.org=one');
    const ran = await stage.operate([host('other', known, { replace: 'operator' })]);
    assert.equal(ran.of('it').code, 'not_a_host');
    assert.deepEqual((await stage.entry('other')).match, match);
  });
});
