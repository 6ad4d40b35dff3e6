import assert from 'node:assert/strict';
import { chownSync, copyFileSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { runProcess } from '../../../harness/processes.ts';
import { readElf } from '../../../packaging/parts/elf.ts';
import { qemuBinary } from '../../../setup/qemu.mjs';
import { createWorld } from '../../e2e/world.ts';
import { type Built, buildImage, needImageParts } from './built.ts';

const script = fileURLToPath(new URL('in-image.mjs', import.meta.url));

describe('what is in the image', function () {
  this.timeout(120_000);
  let image: Built;
  const roots: Record<string, string> = {};
  before(async function () {
    needImageParts(this);
    if (process.getuid?.() !== 0 && process.env['CI'] !== 'true') this.skip();
    image = await buildImage();
    for (const architecture of ['amd64', 'arm64']) roots[architecture] = image.unpack(architecture);
  });
  after(() => image?.[Symbol.dispose]());

  const native = process.arch === 'x64' ? 'amd64' : 'arm64';
  const run = (...words: string[]) =>
    runProcess({
      script,
      args: [roots[native]!, '-', ...words],
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });

  for (const architecture of ['amd64', 'arm64'] as const) {
    const all = () =>
      readdirSync(roots[architecture]!, { recursive: true, encoding: 'utf8' }).map((path) => ({
        path,
        stat: lstatSync(join(roots[architecture]!, path)),
      }));

    it(`for ${architecture} runs nothing but Node, Signet and nft`, () => {
      const programs = readdirSync(join(roots[architecture]!, 'usr/bin'));
      assert.deepEqual(programs, ['node', 'signet']);
      assert.deepEqual(readdirSync(join(roots[architecture]!, 'usr/sbin')), ['nft']);
      const executable = all().filter(({ stat }) => stat.isFile() && stat.mode & 0o111);
      const others = executable.map(({ path }) => path).filter((path) => !/\.so(\.\d+)+$/.test(path));
      assert.deepEqual(others.sort(), ['opt/signet/bin/signet.mjs', 'usr/bin/node', 'usr/sbin/nft']);
    });

    it(`for ${architecture} lets nobody become another user, and only /tmp be written to`, () => {
      for (const { path, stat } of all()) {
        assert.equal(stat.mode & 0o6000, 0, path);
        if (!stat.isSymbolicLink() && path !== 'tmp') assert.equal(stat.mode & 0o022, 0, path);
        assert.deepEqual([stat.uid, stat.gid], [0, 0], path);
        assert.ok(stat.isFile() || stat.isDirectory() || stat.isSymbolicLink(), path);
      }
    });

    it(`for ${architecture} is for ${architecture}`, () => {
      const libraries = all().filter(({ path, stat }) => stat.isFile() && /\.so(\.\d+)+$/.test(path));
      assert.ok(libraries.length >= 8);
      for (const path of ['usr/bin/node', 'usr/sbin/nft', ...libraries.map((each) => each.path)])
        assert.equal(readElf(readFileSync(join(roots[architecture]!, path))).machine, architecture, path);
    });

    it(`for ${architecture} brings the licences of what is in it`, () => {
      const texts = all().map(({ path }) => path);
      for (const path of ['doc/node/LICENSE', 'doc/libc6/copyright', 'doc/libstdc++6/copyright'])
        assert.ok(texts.includes(`usr/share/${path}`), path);
      for (const name of ['convict', 'express', 'jose'])
        assert.ok(
          texts.some((path) => path.startsWith(`opt/signet/licences/${name}/`)),
          name,
        );
    });
  }

  for (const [args, first] of [
    [['--help'], 'Usage: signet [options] [command]'],
    [['sidecar', '--help'], 'usage: signet sidecar [--help]'],
    [['broker', '--help'], 'usage: signet broker [--help]'],
    [['policy', '--help'], 'Usage: signet policy [options] [command]'],
  ] as const)
    it(`runs \`signet ${args.join(' ')}\` on a read-only root, as 65532, without a network`, async () => {
      const { code, stdout, stderr } = await run('/usr/bin/signet', ...args);
      assert.deepEqual([code, stderr, stdout.split('\n')[0]], [0, '', first]);
    });

  it('loads every command, and says that the demo runs in a clone only', async () => {
    const { stdout } = await run('/usr/bin/signet', '--help');
    const commands = Array.from(stdout.matchAll(/^ {2}([a-z]+) +(?:\[|[a-z])/gm), ([, name]) => String(name));
    for (const each of commands.filter((name) => !['help', 'broker', 'sidecar'].includes(name)))
      assert.equal((await run('/usr/bin/signet', each, '--help')).code, 0, each);
    const demo = await run('/usr/bin/signet', 'demo');
    assert.deepEqual([demo.code, demo.stderr], [1, 'signet: the demo runs in a clone only\n']);
  });

  it('has an nft that runs, and that can change nothing as this user', async () => {
    const version = await run('/usr/sbin/nft', '--version');
    assert.equal(version.code, 0, version.stderr);
    assert.match(version.stdout, /^nftables v1\./);
    const { code, stderr } = await run('/usr/bin/signet', 'sidecar', 'iptables', '--apply', '--uid', '65532');
    assert.equal(code, 1);
    assert.match(stderr, /^signet sidecar iptables: neither nft nor iptables can be used here/);
  });

  it('is indeed held so: another user, no writing, no network, no shell', async () => {
    const program = `const fs = require('node:fs'); const tried = {};
      for (const place of ['/tmp', '/run', '/opt/signet', '/etc'])
        try { fs.writeFileSync(place + '/x', ''); tried[place] = 'written'; } catch ({ code }) { tried[place] = code; }
      const shell = require('node:child_process').spawnSync('sh').error?.code;
      const networks = Object.keys(require('node:os').networkInterfaces());
      console.log(JSON.stringify({ uid: process.getuid(), gid: process.getgid(), tried, shell, networks }));`;
    const { stdout } = await run('/usr/bin/node', '-e', program);
    const tried = { '/tmp': 'EROFS', '/run': 'EROFS', '/opt/signet': 'EROFS', '/etc': 'EROFS' };
    assert.deepEqual(JSON.parse(stdout), { uid: 65532, gid: 65532, tried, shell: 'ENOENT', networks: [] });
  });

  it('runs for arm64 too, as far as QEMU tells', async function () {
    const qemu = qemuBinary();
    if (!qemu && process.env['CI'] !== 'true') this.skip();
    assert.ok(qemu);
    copyFileSync(qemu, join(roots['arm64']!, 'qemu'));
    for (const program of ['sidecar', 'broker']) {
      const words = ['/qemu', '/usr/bin/node', `/opt/signet/dist/${program}/main.js`, '--help'];
      const args = [roots['arm64']!, '-', ...words];
      const { code, stdout } = await runProcess({ script, args });
      assert.deepEqual([code, stdout.split('\n')[0]], [0, `usage: signet ${program} [--help]`]);
    }
    // QEMU has no netlink of the firewall: that nft gets so far says that it has all its libraries
    const { stdout, stderr } = await runProcess({
      script,
      args: [roots['arm64']!, '-', '/qemu', '/usr/sbin/nft', '--version'],
    });
    assert.match(stdout + stderr, /^nftables v1\.|Unable to initialize Netlink socket/);
  });

  it('is broker and sidecar to a real Vault: a workload gets its SVID', async () => {
    await using world = await createWorld();
    const orders = await world.register('orders');
    for (const name of readdirSync(world.dir)) chownSync(join(world.dir, name), 65532, 65532);
    const inImage = (program: string) => ({
      script,
      args: [roots[native]!, world.dir, '/usr/bin/signet', program],
    });
    await world.broker.stop();
    await world.startBroker({}, inImage('broker'));
    const sidecar = await world.sidecar(orders, { SIGNET_AUDIT: '-' }, inImage('sidecar'));
    assert.equal((await sidecar.waitForEvent('svid'))['spiffe_id'], orders.id);
    for (const { pid } of [world.broker, sidecar]) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      assert.match(status, /^Uid:\t65532\t65532\t65532\t65532$/m);
      assert.match(status, /^CapEff:\t0+$/m);
    }
    const { code } = await sidecar.stop();
    assert.equal(code, 0);
  });
});
