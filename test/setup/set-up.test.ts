import assert from 'node:assert/strict';
import { appendFile, symlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ghostunnelVersion } from '../../setup/ghostunnel.mjs';
import { sourcesHash } from '../../setup/go-build.mjs';
import { opaVersion } from '../../setup/opa.mjs';
import { builtVault } from '../../setup/vault.mjs';
import { type FakeClone, fakeClone, linesOf } from './fake-clone.ts';

const collector = `otelcol/otelcol-${sourcesHash('tools/otelcol')}`;
const built = ['otelcol', collector, 'vault', `vault/vault-${builtVault().version}`];

describe('set-up', () => {
  let clone: FakeClone;
  beforeEach(async () => {
    clone = await fakeClone();
  });
  afterEach(() => clone[Symbol.asyncDispose]());

  const asOldNode = [
    '--import',
    `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'18.20.0'}})`,
  ];

  const asOrdinaryUser = ['--import', 'data:text/javascript,process.getuid=()=>1000'];

  describe('says in one line what is missing, and starts nothing', () => {
    const cases: {
      name: string;
      task?: string;
      env?: Record<string, string>;
      flags?: string[];
      line: RegExp;
      status?: number;
    }[] = [
      {
        name: 'neither Go nor Vault',
        line: /^neither Vault \(1\.19 or newer\) nor Go is on PATH: install Go/,
      },
      {
        name: 'a Node too old',
        flags: asOldNode,
        line: /^Node 18\.20\.0 is too old to start; install Node 20/,
      },
      {
        name: 'an unknown task',
        task: 'nonsense',
        line: /^usage: setup\.mjs \[run\|check\|test\|bench\|image\|package\]$/,
        status: 2,
      },
      {
        name: 'a SIGNET_VAULT_BIN that is not there',
        env: { SIGNET_VAULT_BIN: '/nowhere/vault' },
        line: /^SIGNET_VAULT_BIN is \/nowhere\/vault, which is not an executable file$/,
      },
      {
        name: 'a SIGNET_VAULT_BIN that is another program',
        env: { SIGNET_VAULT_BIN: process.execPath },
        line: /^SIGNET_VAULT_BIN is .+, which does not answer as Vault$/,
      },
    ];
    for (const { name, task, env, flags, line, status = 1 } of cases) {
      it(name, async () => {
        await clone.has('npm');
        const run = await clone.run(task, env, flags);
        assert.equal(run.lines.length, 1, run.lines.join('\n'));
        assert.match(run.lines[0]!, line);
        assert.equal(run.code, status);
        assert.deepEqual(await clone.calls(), []);
      });
    }

    it('a SIGNET_VAULT_BIN that is too old', async () => {
      const old = await clone.hasVault('1.18.5', clone.path('elsewhere'));
      const run = await clone.run(undefined, { SIGNET_VAULT_BIN: old });
      assert.deepEqual(run.lines, [
        `SIGNET_VAULT_BIN is ${old}, which is Vault 1.18.5; Signet needs 1.19 or newer`,
      ]);
    });

    it('a Go too old', async () => {
      await clone.has('go');
      const run = await clone.run(undefined, { FAKE_GO_VERSION: '1.19.8' });
      assert.equal(run.lines.length, 1);
      assert.match(run.lines[0]!, /go1\.19: install Go 1\.25 or newer/);
    });
  });

  describe('provides Vault', () => {
    it('by building it when there is none, and is silent and idle the second time', async () => {
      await clone.has('go', 'npm');
      const first = await clone.run();
      assert.equal(first.code, 0, first.lines.join('\n'));
      assert.ok(first.lines.some((line) => /^building Vault .+5 to 10 minutes/.test(line)));
      assert.deepEqual(await clone.cached(), built);
      const before = await clone.calls();
      const second = await clone.run();
      assert.deepEqual([second.code, second.lines], [0, []]);
      assert.deepEqual(await clone.calls(), before);
    });

    it('by building it when the one on PATH is too old', async () => {
      await clone.has('go', 'npm');
      await clone.hasVault('1.18.5');
      assert.equal((await clone.run()).code, 0);
      assert.deepEqual(await clone.cached(), built);
    });

    it('by taking the one on PATH', async () => {
      await clone.has('npm');
      await clone.hasVault('1.20.0');
      assert.equal((await clone.run()).code, 0);
      assert.deepEqual(await clone.cached(), []);
    });

    it('not at all for a task that runs none', async () => {
      await clone.has('npm');
      assert.equal((await clone.run('check')).code, 0);
      assert.deepEqual(await clone.calls(), ['npm ci']);
    });

    it('never half of one: a build that fails says why and leaves nothing', async () => {
      await clone.has('go', 'npm');
      const run = await clone.run(undefined, { FAKE_FAILURE: 'no space left on device' });
      assert.equal(run.code, 1);
      assert.equal(run.lines.at(-1), 'no space left on device');
      assert.deepEqual(await clone.cached(), ['otelcol', 'vault']);
    });
  });

  describe('provides Envoy for the benchmark', () => {
    beforeEach(async () => {
      await clone.has('npm');
      await clone.hasVault('1.21.1');
    });

    it('once', async () => {
      await clone.has('python3');
      for (const _ of [1, 2]) assert.equal((await clone.run('bench', {}, asOrdinaryUser)).code, 0);
      assert.deepEqual((await clone.calls()).toSorted(), ['npm ci', 'python3 pip install']);
    });

    it('or says that it goes without, where there is no Python', async () => {
      const run = await clone.run('bench', {}, asOrdinaryUser);
      assert.equal(run.code, 0);
      assert.ok(run.lines.includes('python3 is not on PATH: the benchmark goes without Envoy'));
    });
  });

  describe('provides ghostunnel and OPA for the benchmark', () => {
    beforeEach(async () => {
      await clone.has('npm');
      await clone.hasVault('1.21.1');
    });
    const withCompilers = async () => {
      await clone.has('go');
      await symlink('/bin/true', clone.path('bin', 'cc'));
    };
    const without = 'the benchmark goes without ghostunnel';

    it('once', async () => {
      await withCompilers();
      for (const _ of [1, 2]) assert.equal((await clone.run('bench', {}, asOrdinaryUser)).code, 0);
      const calls = ['go build', 'go build', 'go version', 'go version', 'npm ci'];
      assert.deepEqual((await clone.calls()).toSorted(), calls);
      assert.deepEqual(await clone.cached(), [
        ...['ghostunnel', `ghostunnel/ghostunnel-${ghostunnelVersion()}`],
        ...['opa', `opa/opa-${opaVersion()}`],
      ]);
    });

    it('or says that it goes without, where it cannot be built', async () => {
      await withCompilers();
      const run = await clone.run('bench', { FAKE_FAILURE: 'no space left on device' }, asOrdinaryUser);
      assert.equal(run.code, 0);
      assert.ok(run.lines.includes('no space left on device'));
      assert.ok(run.lines.includes(without));
      assert.ok(run.lines.includes('the benchmark goes without OPA'));
      assert.deepEqual(await clone.cached(), ['ghostunnel', 'opa']);
    });

    it('or says that it goes without, where there is no Go', async () => {
      const run = await clone.run('bench', {}, asOrdinaryUser);
      assert.equal(run.code, 0);
      assert.ok(run.lines.some((line) => line.endsWith(without)));
    });
  });

  describe('provides h2spec for tests', () => {
    beforeEach(async () => {
      await clone.has('npm', 'python3');
      await clone.hasVault('1.21.1');
    });

    it('once', async () => {
      await clone.has('go');
      for (const _ of [1, 2]) assert.equal((await clone.run('test', {}, asOrdinaryUser)).code, 0);
      assert.ok((await clone.cached()).some((name) => /^h2spec\/h2spec-\d/.test(name)));
      // this one, the strangers of the conformance tests, the collector, four for Kubernetes, two for Terraform's modules, and nfpm
      assert.equal((await clone.calls()).filter((call) => call === 'go build').length, 10);
    });

    it('or says that its cases are skipped, where there is no Go', async () => {
      const run = await clone.run('test', {}, asOrdinaryUser);
      assert.equal(run.code, 0);
      assert.ok(
        run.lines.some((line) => /^Go is not on PATH: the HTTP\/2 cases of h2spec are skipped/.test(line)),
      );
    });
  });

  describe('provides what telemetry is tried against', () => {
    beforeEach(async () => {
      await clone.has('npm', 'python3');
      await clone.hasVault('1.21.1');
    });

    it('the collector, once', async () => {
      await clone.has('go');
      for (const _ of [1, 2]) assert.equal((await clone.run('test', {}, asOrdinaryUser)).code, 0);
      const built = (await clone.cached()).filter((name) => name.startsWith('otelcol/'));
      assert.deepEqual(built, [collector]);
    });

    it('or says what is skipped, where there is neither Go nor apt', async () => {
      const { code, lines } = await clone.run('test', {}, asOrdinaryUser);
      assert.equal(code, 0);
      for (const skipped of [
        /^Go is not on PATH: the demo shows no trace, and tests with the OpenTelemetry collector are skipped/,
        /^promtool is not on PATH: the test with it is skipped/,
      ])
        assert.ok(
          lines.some((line) => skipped.test(line)),
          String(skipped),
        );
    });
  });

  describe('provides Ansible for tests', () => {
    beforeEach(async () => {
      await clone.has('npm', 'python3');
      await clone.hasVault('1.21.1');
    });

    it('once', async () => {
      for (const _ of [1, 2]) assert.equal((await clone.run('test', {}, asOrdinaryUser)).code, 0);
      assert.ok((await clone.cached()).some((name) => /^ansible-2\.19\.\d+$/.test(name)));
      // this, kosoku, and the stranger in Python
      assert.equal((await clone.calls()).filter((call) => call === 'python3 pip install').length, 3);
    });

    it('or says that its tests are skipped, where Python is too old for it', async () => {
      const { code, lines } = await clone.run('test', { FAKE_PYTHON: '3 10' }, asOrdinaryUser);
      assert.equal(code, 0);
      assert.ok(lines.includes('python3 is older than 3.11: the tests with Ansible are skipped'));
    });
  });

  describe('provides Kubernetes for tests', () => {
    beforeEach(async () => {
      await clone.has('npm', 'python3');
      await clone.hasVault('1.21.1');
    });

    it('its components, Helm, and the auth of Vault, once', async () => {
      await clone.has('go');
      for (const _ of [1, 2]) assert.equal((await clone.run('test', {}, asOrdinaryUser)).code, 0);
      const cached = (await clone.cached()).filter(
        (name) => /kube|helm|coredns/.test(name) && name.includes('/'),
      );
      const names = [
        /^coredns\/coredns-1\.13\.1-/,
        /^helm\/helm-3\./,
        /^kube\/kube-1\.34\.4-/,
        /^vault-plugin-auth-kubernetes\/.+-0\.23\.1$/,
      ];
      assert.equal(cached.length, names.length, cached.join('\n'));
      for (const [at, name] of names.entries()) assert.match(cached[at]!, name);
    });

    it('or says what is skipped, where there is neither Go nor apt', async () => {
      const { code, lines } = await clone.run('test', {}, asOrdinaryUser);
      assert.equal(code, 0);
      for (const skipped of [
        /^Go is not on PATH: the tests with Kubernetes are skipped/,
        /^containerd, runc and the CNI plugins come by apt-get.+: the tests with real pods are skipped/,
      ])
        assert.ok(
          lines.some((line) => skipped.test(line)),
          String(skipped),
        );
    });
  });

  describe('provides OpenTofu for tests', () => {
    beforeEach(async () => {
      await clone.has('npm', 'python3');
      await clone.hasVault('1.21.1');
    });

    it('and the provider for Vault in a mirror of its own, once', async () => {
      await clone.has('go');
      for (const _ of [1, 2]) assert.equal((await clone.run('test', {}, asOrdinaryUser)).code, 0);
      const cached = (await clone.cached()).filter((name) => /^t(ofu|erraform).*\//.test(name));
      const last = cached.filter((name) => !cached.some((other) => other.startsWith(`${name}/`)));
      const names = [
        /^terraform-provider-vault\/terraform-provider-vault-1\.9\.1-/,
        /^terraform\/cli\.tfrc$/,
        /^terraform\/mirror\/registry\.opentofu\.org\/hashicorp\/vault\/3\.3\.1\/\w+\/terraform-provider-vault_v3\.3\.1$/,
        /^tofu\/tofu-1\.12\.6$/,
      ];
      assert.equal(last.length, names.length, last.join('\n'));
      for (const [at, name] of names.entries()) assert.match(last[at]!, name);
    });

    it('or says that its tests are skipped, where there is no Go', async () => {
      const { code, lines } = await clone.run('test', {}, asOrdinaryUser);
      assert.equal(code, 0);
      const skipped = /^Go is not on PATH: the tests of the Terraform modules are skipped/;
      assert.equal(lines.filter((line) => skipped.test(line)).length, 1);
    });
  });

  describe('is safe to stop', () => {
    for (const [signal, status] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      it(`by ${signal}, and goes on when run again`, async () => {
        await clone.has('go', 'npm');
        const child = await clone.start(undefined, { FAKE_SECONDS: '30' });
        await untilBuilding(clone);
        child.send(signal);
        assert.equal((await child.ended).code, status);
        assert.equal(linesOf(child).at(-1), 'interrupted; run it again to go on');
        assert.deepEqual(await clone.cached(), ['otelcol', 'vault']);
        assert.equal((await clone.run()).code, 0);
        assert.deepEqual(await clone.cached(), built);
      });
    }

    it('by SIGKILL: the next run breaks the lock of the dead one and clears what it left', async () => {
      await clone.has('go', 'npm');
      const child = await clone.start(undefined, { FAKE_SECONDS: '2' });
      await untilBuilding(clone);
      await child.kill();
      assert.ok((await clone.cached()).includes('setup.lock'));
      assert.equal((await clone.run()).code, 0);
      assert.deepEqual(await clone.cached(), built);
    });

    it('while it waits for another', async () => {
      await clone.has('go', 'npm');
      const worker = await clone.start(undefined, { FAKE_SECONDS: '2' });
      await untilBuilding(clone);
      const waiter = await clone.start();
      while (!waiter.stderr().includes('waiting for another')) await sleep(20);
      waiter.send('SIGINT');
      assert.equal((await waiter.ended).code, 130);
      assert.equal((await worker.ended).code, 0);
    });

    it('twice at once: one works, the other waits and finds all done', async () => {
      await clone.has('go', 'npm');
      const runs = await Promise.all([1, 2, 3].map(() => clone.run(undefined, { FAKE_SECONDS: '1' })));
      assert.deepEqual(
        runs.map((run) => run.code),
        [0, 0, 0],
      );
      const calls = await clone.calls();
      // Vault and the collector
      assert.equal(calls.filter((call) => call === 'go build').length, 2);
      assert.equal(calls.filter((call) => call === 'npm ci').length, 1);
      assert.equal(
        runs.filter((run) => run.lines.some((line) => line.startsWith('waiting for another'))).length,
        2,
      );
    });
  });

  describe('installs the locked packages', () => {
    beforeEach(() => clone.hasVault('1.21.1'));

    it('again when the lock file has changed, and only then', async () => {
      await clone.has('npm');
      await clone.run();
      await clone.run();
      assert.deepEqual(await clone.calls(), ['npm ci']);
      await appendFile(clone.path('package-lock.json'), '\n');
      await clone.run();
      assert.deepEqual(await clone.calls(), ['npm ci', 'npm ci']);
    });

    it('and refuses to go on without exactly the pinned Node', async () => {
      await clone.has('npm');
      const run = await clone.run(undefined, { FAKE_NODE: '' });
      assert.equal(run.code, 1);
      assert.match(run.lines.at(-1)!, /^node_modules\/\.bin\/node is missing, not the pinned 26\.\d+\.\d+/);
    });

    it('and says so when there is no npm', async () => {
      assert.ok((await clone.run()).lines.includes('npm is not on PATH: install it (it comes with Node)'));
    });
  });
});

/** Until the fake Go has begun to write the binary. */
async function untilBuilding(clone: FakeClone) {
  while (!(await clone.cached()).some((name) => name.startsWith('vault/building-'))) {
    await sleep(20);
  }
}
