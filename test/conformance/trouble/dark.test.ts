import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { after, before, describe, it } from 'mocha';
import { type Child, startChild } from '../../../harness/child.ts';
import { which } from '../../../setup/commands.mjs';
import { until } from '../../sidecar/sockets.ts';

const exec = promisify(execFile);
const stage = fileURLToPath(new URL('./dark-stage.ts', import.meta.url));
/** Nothing that comes from or goes to these ports arrives, and nobody is told. */
const HOLE = `table inet hole {
  set dark { type inet_service; }
  chain input { type filter hook input priority 0; tcp dport @dark drop; tcp sport @dark drop; }
}
`;
/** Beside the 0.5 s to connect, 1 s to answer and 0.5 s between pings: what a busy machine adds. */
const IN_TIME_MS = 8_000;

type Told = { readonly heard: readonly string[]; readonly ms: number; readonly ejected: readonly string[] };

describe('upstream trouble', function () {
  this.timeout(60_000);
  const namespace = `signet-dark-${process.pid}`;
  let outbound: Child | undefined;
  let ports: readonly number[];
  let made = false;

  before(async function () {
    if (process.getuid?.() !== 0 || ['ip', 'nft'].some((tool) => !which(tool, ['/usr/sbin', '/sbin'])))
      this.skip();
    await exec('ip', ['netns', 'add', namespace]);
    made = true;
    await inside('ip', ['link', 'set', 'lo', 'up']);
    await inside('nft', ['-f', '-'], HOLE);
  });
  beforeEach(async () => {
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', stage];
    outbound = await startChild('ip', ['netns', 'exec', namespace, ...node]);
    ports = (await line(0)) as number[];
  });
  afterEach(async () => {
    await light();
    await outbound?.kill();
  });
  after(async () => {
    if (made) await exec('ip', ['netns', 'delete', namespace]);
  });

  const inside = (file: string, args: readonly string[], input = '') => {
    const running = exec('ip', ['netns', 'exec', namespace, file, ...args], { timeout: 20_000 });
    // a program that reads nothing may have ended by now
    running.child.stdin?.on('error', () => {}).end(input);
    return running;
  };
  const darken = (...dark: readonly number[]) =>
    inside('nft', ['add', 'element', 'inet', 'hole', 'dark', `{ ${dark.join(', ')} }`]);
  const light = () => inside('nft', ['flush', 'set', 'inet', 'hole', 'dark']);
  const lines = () => outbound!.stdout().split('\n').slice(0, -1);
  const line = async (number: number): Promise<unknown> => {
    await until(
      () => lines().length > number,
      () => `the stage says ${outbound!.stdout()}${outbound!.stderr()}`,
    );
    return JSON.parse(lines()[number]!);
  };
  const begin = (protocol: string, times: number) => {
    const number = lines().length;
    outbound!.stdin.write(`${protocol} ${times}\n`);
    return line(number) as Promise<Told>;
  };
  const all = (times: number, outcome: string) => Array(times).fill(outcome);

  for (const protocol of ['HTTP/1.1', 'HTTP/2']) {
    it(`${protocol}: beside a black hole the other address serves all within the time to connect, and the hole is left out`, async () => {
      await darken(ports[0]!);
      const { heard, ms, ejected } = await begin(protocol, 10);
      assert.deepEqual(heard, all(10, '200'));
      assert.ok(ms < IN_TIME_MS, `${ms} ms`);
      assert.match(String(ejected), /code="connect-timeout"/);
      assert.deepEqual((await begin(protocol, 10)).heard, all(10, '200'));
    });

    it(`${protocol}: 504 in time when there are black holes alone, and served again when there is light`, async () => {
      await darken(...ports);
      const { heard, ms } = await begin(protocol, 10);
      assert.deepEqual(heard, all(10, '504 upstream_unreachable'));
      assert.ok(ms < IN_TIME_MS, `${ms} ms`);
      await light();
      assert.deepEqual((await begin(protocol, 10)).heard, all(10, '200'));
    });

    it(`${protocol}: a peer that vanishes while its connections are idle costs no more than what is asked of it until it is missed`, async () => {
      assert.deepEqual((await begin(protocol, 20)).heard, all(20, '200'));
      await darken(ports[0]!);
      // half of them over half of its connections; the others must not cost anything when it is tried again
      const { heard, ms } = await begin(protocol, 10);
      assert.ok(ms < IN_TIME_MS, `${ms} ms`);
      assert.deepEqual(
        [...new Set(heard)].filter((each) => each !== '200' && each !== '504 upstream_timeout'),
        [],
      );
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      for (let i = 0; i < 10; i++)
        assert.deepEqual((await begin(protocol, 4)).heard, all(4, '200'), `round ${i}`);
    });

    it(`${protocol}: a peer that vanishes while it is busy is missed in time`, async () => {
      const asked = begin(protocol, 20);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await darken(ports[0]!);
      const { heard, ms } = await asked;
      assert.ok(ms < IN_TIME_MS, `${ms} ms`);
      assert.ok(heard.filter((each) => each === '200').length >= 10, String(heard));
      for (let i = 0; i < 10; i++)
        assert.deepEqual((await begin(protocol, 4)).heard, all(4, '200'), `round ${i}`);
    });
  }
});
