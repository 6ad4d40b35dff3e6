import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { globSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { type Child, startChild } from '../../harness/child.ts';
import { findLeaks } from './leaks.ts';
import { fileWrites, TRACED_CALLS } from './trace.ts';
import { createWorld, TENANT, type World } from './world.ts';

const launcher = fileURLToPath(new URL('../../bin/signet.mjs', import.meta.url));
const leaky = fileURLToPath(new URL('../fakes/leaky.mjs', import.meta.url));
const snoop = fileURLToPath(new URL('../fakes/snoop.mjs', import.meta.url));
const TOKEN = 'hvs.CAESIFakeFakeFakeFakeFakeFake';

/** DESIGN I3: no key, token or evidence on disk, in a log, or where another process can read it. */
describe('secrets', function () {
  this.timeout(60_000);
  let world: World;
  let dir: string;
  before(async () => {
    world = await createWorld();
  });
  after(() => world[Symbol.asyncDispose]());
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'signet-secrets-'));
    await chmod(dir, 0o777);
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  /** A sidecar's whole environment and its join code, which goes to standard input. */
  const joining = async (name: string) => {
    const service = await world.register(name, { match: { 'join:entry': `${TENANT}/${name}` } });
    const code = await world.joinCode(name);
    const policy = join(dir, 'policy.json');
    await writeFile(policy, '[]');
    const env = {
      ...world.environment(service),
      SIGNET_ATTEST: 'join:-',
      SIGNET_MODE: 'service',
      SIGNET_INBOUND: '127.0.0.1:0->127.0.0.1:9',
      SIGNET_POLICY_FILE: policy,
      SIGNET_AUDIT: join(dir, 'audit.jsonl'),
      SIGNET_LOG_LEVEL: 'debug',
      TMPDIR: dir,
      HOME: dir,
      // What Node keeps of our sources holds their words, such as those for a private key.
      NODE_DISABLE_COMPILE_CACHE: '1',
    };
    return { env, code };
  };

  /** Runs Node with every write it makes noted in the file `trace`. Its pid is the program's own. */
  const traced = (trace: string, args: readonly string[], env: Record<string, string>) => {
    const strace = ['-D', '-f', '-y', '-xx', '-s', '1048576', '-e', `trace=${TRACED_CALLS}`, '-o', trace];
    return startChild('strace', [...strace, process.execPath, ...args], {
      cwd: dir,
      env: { PATH: process.env['PATH'], ...env },
    });
  };

  it('are found by the search, wherever a careless program leaves them', async () => {
    const file = join(dir, 'key.pem');
    await using control = await startChild(process.execPath, [leaky, TOKEN, file], { env: { JOIN: TOKEN } });
    const line = JSON.parse(await firstLine(control));
    const publicKey = createPublicKey(line.spki);
    assert.deepEqual(findLeaks(await readFile(file)), ['DER private key', 'PEM private key']);
    assert.deepEqual(findLeaks(Buffer.from(control.stderr()), { publicKeys: [publicKey] }), [
      'JWK private key',
      'Vault token',
      'private number',
    ]);
    assert.deepEqual(findLeaks(await readFile(`/proc/${control.pid}/environ`)), ['Vault token']);
    assert.deepEqual(findLeaks(await readFile(`/proc/${control.pid}/cmdline`)), ['Vault token']);

    const scalar = Buffer.from(line.d, 'base64url');
    const der = Buffer.from((await readFile(file, 'utf8')).replace(/-----.*-----|\n/g, ''), 'base64');
    for (const [form, name] of [
      [Buffer.concat([Buffer.from('xyz'), scalar]), 'private number'],
      [Buffer.from(scalar.toString('hex')), 'private number'],
      [Buffer.concat([Buffer.from('x'), der]), 'DER private key'],
      [Buffer.from(der.toString('hex')), 'DER private key'],
      [Buffer.from(Buffer.concat([Buffer.from('x'), der]).toString('base64')), 'DER private key'],
      [Buffer.from(Buffer.from('xx-known').toString('base64')), 'known value'],
    ] as const) {
      const found = findLeaks(form, { publicKeys: [publicKey], values: ['-known'] });
      assert.ok(found.includes(name), `${name} in ${form}: ${found}`);
    }
  });

  it('are found in the trace of what a careless program writes', async () => {
    const [file, trace] = [join(dir, 'key.pem'), join(dir, 'trace')];
    const control = await traced(trace, [leaky, TOKEN, file], {});
    await firstLine(control);
    await control.stop();
    const written = fileWrites(await readFile(trace, 'latin1')).get(file) ?? [];
    assert.deepEqual(findLeaks(Buffer.concat(written)), ['DER private key', 'PEM private key']);
  });

  it('are in nothing that a sidecar writes, nor in its environment, arguments, logs and audit', async () => {
    const { env, code } = await joining('traced');
    const trace = join(world.dir, 'trace');
    const sidecar = await traced(trace, [launcher, 'sidecar'], env);
    sidecar.stdin.end(code);
    const inbound = String((await event(sidecar, 'listening', ({ what }) => what === 'inbound'))['address']);
    await event(sidecar, 'ready', () => true);
    const publicKeys = [await publicKeyOf(inbound)];
    sidecar.send('SIGHUP');
    await event(sidecar, 'svid', ({ rotation }) => rotation === 1);
    publicKeys.push(await publicKeyOf(inbound));
    assert.ok(!publicKeys[0]!.equals(publicKeys[1]!));
    const [environ, cmdline] = await Promise.all(
      ['environ', 'cmdline'].map((name) => readFile(`/proc/${sidecar.pid}/${name}`)),
    );
    assert.deepEqual(await sidecar.stop(), { code: 0, signal: null });

    const sought = { publicKeys, values: [code, code.split('.').at(-1)!] };
    const written = fileWrites(await readFile(trace, 'latin1'));
    const names = [...written.keys()].filter((path) => path !== '/dev/null');
    assert.deepEqual(names, [env.SIGNET_AUDIT], 'it writes to no other file');
    const places = {
      audit: await readFile(env.SIGNET_AUDIT),
      'writes to files': Buffer.concat([...written.values()].flat()),
      log: Buffer.from(sidecar.stderr() + sidecar.stdout()),
      environment: environ!,
      arguments: cmdline!,
    };
    for (const [place, bytes] of Object.entries(places)) {
      assert.ok(bytes.length > 0, `${place} is there to be searched`);
      assert.deepEqual(findLeaks(bytes, sought), [], place);
    }
    assert.deepEqual((await readdir(dir)).sort(), ['audit.jsonl', 'policy.json'], 'it leaves nothing behind');
  });

  it('cannot be read from its memory by a process of the same user', async () => {
    const { env, code } = await joining('watched');
    const [asUser, ...words] = unprivileged();
    const start = (args: readonly string[]) =>
      startChild(asUser!, [...words, process.execPath, ...args], {
        cwd: dir,
        env: { PATH: process.env['PATH'], ...env },
      });
    const peek = (pid: number) =>
      JSON.parse(
        execFileSync(asUser!, [...words, process.execPath, snoop, String(pid)], { encoding: 'utf8' }),
      );

    await using control = await start([leaky, TOKEN, join(dir, 'key.pem')]);
    await firstLine(control);
    const seen = peek(control.pid);
    assert.ok(seen.environment > 0, `the snoop sees what is not guarded: ${JSON.stringify(seen)}`);
    if (!otherTracersForbidden()) assert.ok(seen.memory.regionsWithKeys > 0, JSON.stringify(seen));

    await using sidecar = await start([launcher, 'sidecar']);
    sidecar.stdin.end(code);
    await event(sidecar, 'ready', () => true);
    assert.deepEqual(peek(sidecar.pid), { memory: 'EACCES', environment: 'EACCES', files: 'EACCES' });
    assert.equal((await stat(`/proc/${sidecar.pid}/mem`)).uid, 0, 'its memory belongs to root');
  });

  for (const signal of ['SIGABRT', 'SIGQUIT'] as const) {
    it(`are in no core file after ${signal}`, async () => {
      const { env, code } = await joining(`dumped-${signal.toLowerCase()}`);
      const start = async (name: string, args: readonly string[]) => {
        const cwd = join(dir, name);
        await mkdir(cwd);
        const script = 'ulimit -c unlimited; exec "$@"';
        const child = await startChild('sh', ['-c', script, 'sh', process.execPath, ...args], {
          cwd,
          env: { PATH: process.env['PATH'], ...env },
        });
        return { child, cwd };
      };
      const control = await start('control', [leaky, TOKEN, join(dir, 'key.pem')]);
      await firstLine(control.child);
      control.child.send(signal);
      await control.child.ended;
      const pattern = (await readFile('/proc/sys/kernel/core_pattern', 'utf8')).trim();
      // Elsewhere the kernel hands it to a program of the system's, and it is not ours to look for.
      if (!/^[|/]/.test(pattern)) {
        const [core = ''] = globSync(join(control.cwd, '*'));
        assert.ok((await readFile(core)).includes('-----BEGIN PRIVATE KEY-----'), 'the control leaves one');
        await rm(core);
      }

      const { child, cwd } = await start('sidecar', [launcher, 'sidecar']);
      child.stdin.end(code);
      await event(child, 'ready', () => true);
      const limits = await readFile(`/proc/${child.pid}/limits`, 'utf8');
      assert.match(limits, /^Max core file size +0 +0 /m);
      child.send(signal);
      assert.equal((await child.ended).signal, signal);
      assert.deepEqual(await readdir(cwd), []);
    });
  }
});

/** Waits for a line of its JSON log. */
function event(
  child: Child,
  name: string,
  accept: (line: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    child.onErrorLine((text) => {
      if (!text.startsWith('{')) return;
      const line = JSON.parse(text);
      if (line.event === name && accept(line)) resolve(line);
    });
    void child.ended.then(() => reject(new Error(`ended before "${name}":\n${child.stderr()}`)));
  });
}

function firstLine(child: Child): Promise<string> {
  return new Promise((resolve) => child.onErrorLine(resolve));
}

/** The key in the certificate that a sidecar shows, even to a stranger whom it then turns away. */
function publicKeyOf(inbound: string): Promise<KeyObject> {
  const [host, port] = inbound.split(':');
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!.publicKey);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

/**
 * Begins a command that runs without privilege: as nobody where nobody can read this clone, else as this user without
 * capabilities, which the kernel treats alike.
 */
function unprivileged(): string[] {
  if (process.getuid?.() !== 0) return ['env'];
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  const [command, ...args] = [...nobody, process.execPath, '-e', `require('fs').accessSync('${launcher}')`];
  return spawnSync(command!, args).status === 0
    ? nobody
    : ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];
}

/** Where the kernel lets only parents read their children's memory, the control cannot be read either. */
function otherTracersForbidden(): boolean {
  const scope = spawnSync('cat', ['/proc/sys/kernel/yama/ptrace_scope'], { encoding: 'utf8' });
  return scope.status === 0 && scope.stdout.trim() !== '0';
}
