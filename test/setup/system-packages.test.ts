import assert from 'node:assert/strict';
import { type FakeClone, fakeClone } from './fake-clone.ts';

const everything =
  'ssh-keygen openssl faketime strace nginx curl python3 wrk ip nft iptables swtpm swtpm_setup tpm2_createek systemd-nspawn rpm';
const asUser = (uid: number) => ['--import', `data:text/javascript,process.getuid=()=>${uid}`];

describe('set-up of system packages', () => {
  let clone: FakeClone;
  beforeEach(async () => {
    clone = await fakeClone();
    await clone.has('npm');
    await clone.hasVault('1.21.1');
  });
  afterEach(() => clone[Symbol.asyncDispose]());

  it('installs them by apt as root, fetching the package lists only when they are missing', async () => {
    await clone.has('apt-get');
    const run = await clone.run('test', { FAKE_COMMANDS: everything }, asUser(0));
    assert.equal(run.code, 0, run.lines.join('\n'));
    const expected = ['npm ci', 'apt-get install', 'apt-get update', 'apt-get install'];
    assert.deepEqual(await clone.calls(), expected);
    await clone.run('test', {}, asUser(0));
    assert.deepEqual(await clone.calls(), expected);
  });

  it('fails when apt did not bring the command', async () => {
    await clone.has('apt-get');
    const run = await clone.run('test', { FAKE_COMMANDS: everything.replace('ssh-keygen ', '') }, asUser(0));
    assert.equal(run.code, 1);
    assert.match(run.lines.at(-1)!, /openssh-client has no command on PATH$/);
  });

  for (const [ci, status] of [
    ['', 0],
    ['true', 1],
  ] as const) {
    it(`names them to anyone else, exit ${status} with CI=${ci}`, async () => {
      await clone.has('apt-get');
      const run = await clone.run('test', { CI: ci }, asUser(1000));
      // those of sbin are looked for beside PATH too, so what this machine has counts
      const names =
        /^install these system packages: openssh-client openssl faketime strace( [a-z0-9-]+)* python3( [a-z0-9-]+)*$/;
      assert.match(run.lines.at(-1) ?? '', names);
      assert.equal(run.code, status);
      assert.deepEqual(await clone.calls(), ['npm ci']);
    });
  }
});
