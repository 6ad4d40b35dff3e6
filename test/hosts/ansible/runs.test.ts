import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signet } from '../../cli/signet.ts';
import { RunIssuer } from '../../support/run-issuer.ts';
import { sshKeygen } from '../../support/ssh-keygen.ts';
import { openStage, type Stage } from './stage.ts';

describe('a controller of Ansible with an OIDC token and a delegation', function () {
  this.timeout(120_000);
  let stage: Stage;
  let issuer: RunIssuer;
  before(async function () {
    const opened = await openStage();
    if (opened === undefined) this.skip();
    stage = opened;
    issuer = await RunIssuer.start();
    const { vault } = stage.site;
    const made = await signet(
      [
        ...['delegate', 'ansible', 'shop-hosts', '--tenant', 'acme/shop', '--prefix', 'ns/shop/host/'],
        ...['--entries', 'host-', '--network', '127.0.0.0/8', '--claim', 'job_template=42'],
        ...['--issuer-name', 'ci', '--issuer', issuer.url, '--jwks-url', issuer.jwksUrl],
      ],
      { env: { VAULT_ADDR: vault.address, VAULT_TOKEN: vault.rootToken } },
    );
    assert.equal(made.status, 0, made.stderr);
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await issuer?.[Symbol.asyncDispose]();
  });

  const token = (claims: object = {}) =>
    issuer.token({ job_template: '42', terraform_run_phase: undefined, ...claims });
  /** As a job has it: no token of Vault. */
  const job = async (claims?: object) => ({ VAULT_TOKEN: '', SIGNET_RUN_TOKEN: await token(claims) });
  const entry = (name: string, path: string, change: object = {}) => ({
    name: 'it',
    'signet.identity.signet_entry': {
      ...{ tenant: 'acme/shop', name, spiffe_id: `spiffe://example.org/${path}`, delegation: 'shop-hosts' },
      ...{ match: { 'ssh-host:key': `SHA256:${name}` }, ...change },
    },
  });

  it('shows its token once, however many tasks and hosts need the right', async () => {
    const name = 'host-{{ inventory_hostname }}';
    const made = entry(name, 'ns/shop/host/{{ inventory_hostname }}');
    const gone = { ...entry(name, 'ns/shop/host/x', { state: 'absent' }), name: 'gone' };
    const hosts = ['a', 'b', 'c', 'd'];
    for (const strategy of ['linear', 'free']) {
      const env = await job();
      const ran = await stage.operate([made, gone], { hosts, env, play: { strategy } });
      assert.equal(ran.code, 0, ran.out);
      for (const host of hosts) assert.match(ran.out, new RegExp(`^${host} +: ok=2 +changed=2 `, 'm'));
      // the broker takes that token no more, so the one that it took served all eight
      const again = await stage.operate([made], { env });
      assert.equal(again.of('it').code, 'run_token_spent', again.out);
      assert.equal(again.of('it').option, 'run_token_variable');
    }
  });

  it('asks a command for a token, and takes one from a file', async () => {
    const file = join(stage.ansible.dir, 'id-token');
    const sources = [
      { run_token_command: ['cat', file] },
      { run_token_file: file },
      { run_token_variable: 'CI_TOKEN' },
    ];
    for (const source of sources) {
      const given = await token();
      await writeFile(file, `${given}\n`);
      const task = entry('host-source', 'ns/shop/host/source', source);
      const ran = await stage.operate([task], { env: { VAULT_TOKEN: '', CI_TOKEN: given } });
      assert.equal(ran.code, 0, ran.out);
    }
  });

  it('is refused outside of its delegation, at the option that it is about', async () => {
    const cases: readonly [what: string, task: ReturnType<typeof entry>, code: string, option: string][] = [
      ['a name', entry('web-1', 'ns/shop/host/1'), 'vault_denied', 'name'],
      ['an ID', entry('host-1', 'ns/shop/sa/orders'), 'vault_denied', 'spiffe_id'],
      ['a tenant', entry('host-1', 'ns/globex/a', { tenant: 'globex' }), 'vault_denied', 'tenant'],
      [
        'no delegation',
        entry('host-1', 'ns/shop/host/1', { delegation: 'none' }),
        'run_not_delegated',
        'delegation',
      ],
    ];
    const tasks = cases.map(([what, task]) => ({ ...task, name: what, ignore_errors: true }));
    const ran = await stage.operate(tasks, { env: await job() });
    for (const [what, , code, option] of cases)
      assert.deepEqual([ran.of(what).code, ran.of(what).option], [code, option], ran.out);
    assert.match(ran.of('a name').msg, /is for names that begin with host-/);
    for (const [claims, code] of [
      [{ job_template: '43' }, 'run_not_delegated'],
      [{ aud: 'others' }, 'run_token_audience'],
    ] as const) {
      const other = await stage.operate([entry('host-1', 'ns/shop/host/1')], { env: await job(claims) });
      assert.equal(other.of('it').code, code, other.out);
    }
    assert.equal(await stage.entry('host-1'), undefined);
  });

  it('tells what is wrong with where the token should be', async () => {
    const at = (source: object) => entry('host-1', 'ns/shop/host/1', source);
    const cases: readonly [what: string, task: object, message: RegExp][] = [
      [
        'nothing',
        at({}),
        /set run_token_file or run_token_command, or the environment variable SIGNET_RUN_TOKEN/,
      ],
      ['no file', at({ run_token_file: '/none' }), /The file \/none failed: No such file/],
      [
        'a failure',
        at({ run_token_command: ['sh', '-c', 'echo half-of-a-token; exit 3'] }),
        /The command sh failed: exit status 3/,
      ],
      [
        'two words',
        at({ run_token_command: ['echo', 'two words here, no token'] }),
        /That is not a token: The command echo/,
      ],
    ];
    const tasks = cases.map(([what, task]) => ({ ...task, name: what, ignore_errors: true }));
    const ran = await stage.operate(tasks, { env: { VAULT_TOKEN: '' } });
    for (const [what, , message] of cases) assert.match(ran.of(what).msg, message);
    assert.doesNotMatch(ran.out, /: half-of|token.*half-of-a-token\W*$/m);
  });

  it('may not replace the key of a host by its own word', async () => {
    await using keygen = await sshKeygen();
    const key = await keygen.newKey('key');
    const [type, base64] = (await readFile(`${key.file}.pub`, 'utf8')).split(' ');
    const known = join(stage.ansible.dir, 'known_hosts');
    await writeFile(known, `vm ${type} ${base64}\n`);
    const change = { match: undefined, known_as: 'vm', known_hosts: [known], replace: 'operator' };
    const task = entry('host-key', 'ns/shop/host/key');
    const host = { ...task['signet.identity.signet_entry'], ...change };
    const ran = await stage.operate([task, { name: 'replaced', 'signet.identity.signet_host': host }], {
      env: await job(),
    });
    assert.equal(ran.of('replaced').code, 'operator_needed', ran.out);
  });

  it('leaves no token in what is printed, logged or written, with every word traced', async () => {
    const [run, own] = [await token(), stage.site.registrar.shop];
    const tasks = [
      entry('host-secret', 'ns/shop/host/secret'),
      {
        ...entry('host-own', 'ns/shop/host/own', {
          delegation: undefined,
          vault_token: "{{ lookup('env', 'OWN') }}",
        }),
        name: 'own',
      },
      {
        ...entry('Host', 'a', { run_token: "{{ lookup('env', 'RUN') }}" }),
        name: 'refused',
        ignore_errors: true,
      },
      { name: 'all', 'ansible.builtin.debug': { var: 'vars' } },
    ];
    const env = { VAULT_TOKEN: '', SIGNET_RUN_TOKEN: run, OWN: own, RUN: run, ANSIBLE_DEBUG: '1' };
    const ran = await stage.operate(tasks, { env, args: ['-vvvvv', '--diff'] });
    assert.equal(ran.code, 0, ran.out);
    const texts = new Map([['what was printed', ran.out]]);
    for (const file of await readdir(stage.ansible.dir, { recursive: true, withFileTypes: true })) {
      if (!file.isFile() || file.name === 'id-token') continue;
      const path = join(file.parentPath, file.name);
      texts.set(path, await readFile(path, 'latin1'));
    }
    assert.ok([...texts.keys()].some((name) => name.endsWith('.log')));
    for (const [name, text] of texts) {
      assert.ok(!text.includes(run) && !text.includes(own), `${name} holds a token`);
      assert.doesNotMatch(text, /\bhv[sbr]\.[A-Za-z0-9_-]{20,}/, `${name} holds a token of Vault`);
    }
  });
});
