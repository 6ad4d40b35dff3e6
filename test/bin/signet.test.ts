import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild } from '../../harness/child.ts';

const launcher = fileURLToPath(new URL('../../bin', import.meta.url));

/** Tells how it was started, then waits if told to. */
const program = `
console.log(JSON.stringify({ pid: process.pid, file: import.meta.filename, args: process.argv.slice(2), color: process.env.COLOR, compileCache: process.env.NODE_COMPILE_CACHE, arenas: process.env.MALLOC_ARENA_MAX,
  flags: process.execArgv, main: import.meta.main }));
if (process.argv.includes('wait')) setTimeout(() => {}, 30_000);
process.exitCode = 3;
`;

/** A Node that says it is 20, as far as the launcher can see. */
const asOldNode = [
  '--import',
  `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'20.0.0'}});delete process.execve`,
];

describe('bin/signet.mjs', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'signet-bin-'));
    await cp(launcher, join(folder, 'bin'), { recursive: true });
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const programs = async (...files: string[]) => {
    for (const file of files) {
      await mkdir(join(folder, file, '..'), { recursive: true });
      await writeFile(join(folder, file), program);
    }
  };
  const pinNode = async () => {
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true });
    await symlink(process.execPath, join(folder, 'node_modules/.bin/node'));
  };
  const start = (args: string[], nodeFlags: string[] = []) =>
    startChild(process.execPath, [...nodeFlags, join(folder, 'bin/signet.mjs'), ...args], {
      env: { COLOR: 'blue' },
    });
  const run = async (args: string[], nodeFlags?: string[]) => {
    const child = await start(args, nodeFlags);
    const ending = await child.ended;
    return {
      ...ending,
      pid: child.pid,
      stderr: child.stderr(),
      told: child.stdout() && JSON.parse(child.stdout()),
    };
  };

  for (const [args, file, passed] of [
    [['sidecar', '--help'], 'sidecar/main.ts', ['--help']],
    [['broker'], 'broker/main.ts', []],
    [['vault', 'doctor', 'sidecar'], 'cli/main.ts', ['vault', 'doctor', 'sidecar']],
    [[], 'cli/main.ts', []],
  ] as const) {
    it(`\`signet ${args.join(' ')}\` becomes ${file}, in the same process`, async () => {
      await programs('sidecar/main.ts', 'broker/main.ts', 'cli/main.ts');
      const { told, pid, code, stderr } = await run([...args]);
      assert.deepEqual([told.file, told.args, told.pid], [join(folder, file), passed, pid]);
      assert.deepEqual([told.color, told.main, code, stderr], ['blue', true, 3, '']);
      assert.equal(told.compileCache, join(folder, '.cache/node'));
      const isSidecar = args[0] === 'sidecar';
      assert.equal(told.arenas, isSidecar ? '1' : undefined);
      assert.equal(told.flags.includes('--max-semi-space-size=1'), isSidecar);
    });
  }

  it('runs the compiled program where there is no source', async () => {
    await programs('dist/cli/main.js');
    const { told } = await run(['entry']);
    assert.deepEqual([told.file, told.compileCache], [join(folder, 'dist/cli/main.js'), undefined]);
  });

  it('prefers the source where there are both', async () => {
    await programs('cli/main.ts', 'dist/cli/main.js');
    assert.equal((await run(['entry'])).told.file, join(folder, 'cli/main.ts'));
  });

  for (const [age, flags] of [
    ['a new Node', []],
    ['an old Node', asOldNode],
  ] as const) {
    it(`passes SIGTERM on, on ${age}`, async () => {
      await programs('cli/main.ts');
      await pinNode();
      const child = await start(['wait'], [...flags]);
      while (!child.stdout()) await new Promise((resolve) => setTimeout(resolve, 10));
      const { pid } = JSON.parse(child.stdout());
      child.send('SIGTERM');
      const { code, signal } = await child.ended;
      assert.equal(signal ?? code, age === 'a new Node' ? 'SIGTERM' : 143);
      assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    });
  }

  it('starts the pinned Node from an old one, and ends with its exit status', async () => {
    await programs('cli/main.ts');
    await pinNode();
    const { told, code } = await run(['entry', 'list'], asOldNode);
    assert.deepEqual([told.args, told.color, code], [['entry', 'list'], 'blue', 3]);
  });

  it('says which Node it needs when there is only an old one', async () => {
    await programs('cli/main.ts');
    const { code, stderr } = await run([], asOldNode);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^signet needs Node 26 or newer and this is 20\.0\.0; in a clone, `npm run setup` installs it\n$/,
    );
  });
});
