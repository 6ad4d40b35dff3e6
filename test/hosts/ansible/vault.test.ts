import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../../setup/paths.mjs';
import { openStage, type Stage } from './stage.ts';

const PATH = 'auth/signet-approle/role/broker/secret-id';

describe('vault_unwrap, signet_policy and the lookup bundle', function () {
  this.timeout(120_000);
  let stage: Stage;
  let author: Readonly<Record<string, string>>;
  before(async function () {
    const opened = await openStage();
    if (opened === undefined) this.skip();
    stage = opened;
    author = { VAULT_ADDR: stage.site.vault.address, VAULT_TOKEN: await stage.site.tokenOf('signet-author') };
  });
  after(() => stage?.[Symbol.asyncDispose]());

  const wrapped = async (path = PATH): Promise<string> => {
    const { vault } = stage.site;
    const answer = await vault.request('POST', path, {}, { wrapTtl: '300s' });
    return answer.body.wrap_info.token;
  };
  const unwrap = (change: object, keywords: object = {}) => ({
    name: 'it',
    'signet.identity.vault_unwrap': {
      ...{ wrapping_token: "{{ lookup('env', 'WRAPPED') }}", creation_path: PATH, ...change },
    },
    ...keywords,
  });
  const dest = (name: string) => ({ dest: join(stage.ansible.dir, name), field: 'secret_id' });
  const env = async (token?: string) => ({
    VAULT_ADDR: stage.site.vault.address,
    WRAPPED: token ?? (await wrapped()),
  });

  it('unwraps into a file on the host, once, and shows what it is nowhere', async () => {
    const to = dest('secret-id');
    const given = await env();
    const planned = await stage.operate([unwrap(to)], { env: given, args: ['--check'] });
    assert.equal(planned.of('it').changed, true, planned.out);
    await assert.rejects(stat(to.dest));
    const ran = await stage.operate([unwrap(to)], { env: given, args: ['-vvvvv', '--diff'] });
    assert.equal(ran.of('it').changed, true, ran.out);
    const secret = await readFile(to.dest, 'utf8');
    assert.match(secret, /^[0-9a-f]{8}-[0-9a-f-]{27}\n$/);
    assert.equal((await stat(to.dest)).mode & 0o777, 0o400);
    const { vault } = stage.site;
    const logIn = async () => {
      const role_id = (await vault.request('GET', 'auth/signet-approle/role/broker/role-id')).body.data
        .role_id;
      return await vault.request('POST', 'auth/signet-approle/login', { role_id, secret_id: secret.trim() });
    };
    assert.equal((await logIn()).status, 200);
    assert.ok(!ran.out.includes(secret.trim()) && !ran.out.includes(given.WRAPPED));
    const log = await readdir(stage.ansible.dir);
    for (const name of log.filter((each) => each.endsWith('.log'))) {
      const text = await readFile(join(stage.ansible.dir, name), 'utf8');
      assert.ok(!text.includes(secret.trim()) && !text.includes(given.WRAPPED), name);
    }
    const again = await stage.operate([unwrap(to)], { env: given });
    assert.equal(again.of('it').changed, false, 'the file is there');
    const second = await stage.operate([unwrap(dest('second'))], { env: given });
    assert.equal(second.of('it').code, 'wrapping_gone', second.out);
    assert.deepEqual(
      (await readdir(stage.ansible.dir)).filter((name) => name.startsWith('second')),
      [],
    );
  });

  it('spends nothing on a token of another call, a file that cannot be, or a secret that would be shown', async () => {
    const given = await env();
    const cases: readonly [what: string, task: object, code: string][] = [
      ['another call', unwrap({ ...dest('a'), creation_path: 'auth/token/create' }), 'wrapping_foreign'],
      ['no folder', unwrap({ field: 'secret_id', dest: '/no/such/folder/file' }), 'dest_unusable'],
      ['no such user', unwrap({ ...dest('a'), owner: 'nobody-of-this-name' }), 'dest_unusable'],
      ['a mode', unwrap({ ...dest('a'), mode: 'u=rw' }), 'option_unusable'],
      ['shown', unwrap({ field: 'secret_id' }), 'no_log'],
    ];
    const tasks = cases.map(([what, task]) => ({ ...task, name: what, ignore_errors: true }));
    const ran = await stage.operate(tasks, { env: given });
    for (const [what, , code] of cases) assert.equal(ran.of(what).code, code, ran.out);
    assert.deepEqual(
      (await readdir(stage.ansible.dir)).filter((name) => name.startsWith('a.')),
      [],
    );
    const good = await stage.operate(
      [
        unwrap({ field: 'secret_id' }, { no_log: true, register: 'given' }),
        { name: 'told', 'ansible.builtin.assert': { that: ['given.data | length == 36'] } },
      ],
      { env: given, args: ['-vvv'] },
    );
    assert.equal(good.code, 0, good.out);
  });

  it('publishes policies by the program signet: changed, the same, refused', async () => {
    const bin = join(stage.ansible.dir, 'bin');
    const folder = join(stage.ansible.dir, 'policies');
    await Promise.all([mkdir(bin), mkdir(folder)]);
    const executable = join(bin, 'signet');
    await writeFile(
      executable,
      `#!/bin/sh\nexec "${process.execPath}" "${join(root, 'bin/signet.mjs')}" "$@"\n`,
    );
    await chmod(executable, 0o755);
    const document = (method: string) =>
      JSON.stringify({
        ...{
          name: 'a',
          level: 'application',
          target: 'spiffe://example.org/a',
          effect: 'allow',
          mode: 'enforce',
        },
        when: { method: { is: method } },
      });
    const write = (method: string) => writeFile(join(folder, 'a.json'), document(method));
    await write('GET');
    const task = { name: 'it', 'signet.identity.signet_policy': { sources: ['policies'], executable } };
    const play = async (...args: string[]) => (await stage.operate([task], { env: author, args })).of('it');
    assert.deepEqual(await play('--check'), {
      ...{ changed: true, counts: { added: 1, changed: 0, removed: 0 }, documents: 1, version: 0 },
    });
    assert.deepEqual(await play(), {
      ...{ changed: true, counts: { added: 1, changed: 0, removed: 0 }, documents: 1, version: 1 },
    });
    assert.equal((await play()).changed, false);
    await write('POST');
    const planned = await play('--check', '--diff');
    assert.deepEqual([planned.changed, planned.counts.changed, planned.version], [true, 1, 1]);
    assert.equal((await play()).version, 2);
    await write('get');
    const refused = await play();
    assert.equal(refused.code, 'policy_refused');
    assert.match(refused.msg, /a\.json.*\/when\/method\/is/);
    await write('GET');
    const registrar = await stage.operate([task], {
      env: { ...author, VAULT_TOKEN: stage.site.registrar.shop },
    });
    assert.equal(registrar.of('it').code, 'not_published', registrar.out);
    const none = { ...task['signet.identity.signet_policy'], executable: '/no/signet' };
    const missing = await stage.operate([{ name: 'it', 'signet.identity.signet_policy': none }], {
      env: author,
    });
    assert.equal(missing.of('it').code, 'signet_missing');
  });

  it('looks up the bundle of the trust domain, of the broker alone', async () => {
    const look = (args = '') => ({
      name: 'it',
      'ansible.builtin.debug': {
        msg: `{{ lookup('signet.identity.bundle', 'pem', 'json', wantlist=true${args}) }}`,
      },
    });
    const [pem, json] = (await stage.operate([look()], { env: { VAULT_TOKEN: '' } })).of('it').msg;
    assert.equal(pem.trim().replaceAll(/\s/g, ''), stage.site.ca.trim().replaceAll(/\s/g, ''));
    assert.equal((typeof json === 'string' ? JSON.parse(json) : json).keys[0].use, 'x509-svid');
    for (const [args, message] of [
      [", trust_domain='other.org'", /is not the broker/],
      [", broker_ca='/none.pem'", /broker_ca cannot be read/],
    ] as const) {
      const ran = await stage.operate([look(args)]);
      assert.notEqual(ran.code, 0);
      assert.match(ran.out, message);
    }
  });
});
