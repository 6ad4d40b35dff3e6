import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { type Child, startChild } from '../../harness/child.ts';
import { until } from '../sidecar/sockets.ts';
import { WEB } from '../sidecar/support.ts';
import { mayRedirect, Namespace } from './namespace.ts';

const stage = fileURLToPath(new URL('./transparent-stage.ts', import.meta.url));
const signet = fileURLToPath(new URL('../../bin/signet.mjs', import.meta.url));

/** The sidecar's user; the app is another. */
const [SIDECAR, APP] = [0, 65_534];
const PORT = 15_006;
const FAR = '10.9.0.7';
const EXCLUDED = ['--exclude-ports', '2222', '--exclude-cidr', '10.9.0.64/26'];

describe('transparent redirect', function () {
  this.timeout(60_000);
  let namespace: Namespace;
  let sidecar: Child;
  let ports: { readonly inbound: number; readonly app: number };

  before(async function () {
    if (!mayRedirect()) this.skip();
    namespace = await Namespace.create();
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', stage, FAR, String(PORT)];
    sidecar = await startChild('ip', ['netns', 'exec', namespace.name, ...node]);
    await until(
      () => sidecar.stdout().endsWith('\n'),
      () => `the stage says ${sidecar.stderr()}`,
    );
    ports = JSON.parse(sidecar.stdout());
    // in the place of a network: what the sidecar itself sends to the far sidecar arrives there
    const arrive = `table inet far {\n chain output { type nat hook output priority -101;
      ip daddr ${FAR} tcp dport 8443 dnat ip to 127.0.0.1:${ports.inbound}\n }\n}\n`;
    await namespace.run('nft', ['-f', '-'], arrive);
  });
  after(async () => {
    await sidecar?.stop();
    await namespace?.[Symbol.asyncDispose]();
  });

  const redirect = (...args: readonly string[]) =>
    namespace.run(process.execPath, [signet, 'sidecar', 'iptables', ...args]);
  const ask: Namespace['ask'] = (...args) => namespace.ask(...args);
  /** How many redirecting rules there are, whoever shows them. */
  const rules = async () => {
    const shown = [['nft', 'list', 'table', 'inet', 'signet'], ['iptables-save'], ['ip6tables-save']].map(
      async ([file = '', ...args]) =>
        (await namespace.run(file, args).catch(() => ({ stdout: '' }))).stdout.match(
          /redirect to :15006|--to-ports 15006/g,
        )?.length ?? 0,
    );
    return (await Promise.all(shown)).reduce((sum, count) => sum + count);
  };

  for (const [backend, count] of [
    ['nft', 1],
    ['iptables', 2],
  ] as const)
    describe(`by ${backend}`, () => {
      before(async () => {
        const options = ['--backend', backend, '--uid', String(SIDECAR), ...EXCLUDED];
        await redirect('--apply', ...options);
        assert.equal(await rules(), count);
        await redirect('--apply', ...options);
        assert.equal(await rules(), count, 'a second time changes nothing');
      });

      it('an upstream is the one that Host names, wherever the connection was going', async () => {
        const heard = await ask(APP, '10.9.0.33', 80, 'orders');
        assert.match(
          heard,
          new RegExp(`^HTTP/1.1 200 OK\r\n.*Host: orders\r\nx-signet-caller: ${WEB}\r\n`, 's'),
        );
      });

      it('or else the one whose address the connection was going to', async () => {
        assert.match(await ask(APP, FAR, 8080, '10.9.0.7:8080'), new RegExp(`x-signet-caller: ${WEB}`));
      });

      it('another destination is refused, and named', async () => {
        const heard = await ask(APP, '10.9.0.33', 80, 'elsewhere');
        assert.match(
          heard,
          /^HTTP\/1.1 503 .*"unknown_destination".*elsewhere, and none is at 10\.9\.0\.33:80/s,
        );
      });

      it('another destination by IPv6 too', async () => {
        const heard = await ask(APP, 'fd09::33', 80, 'elsewhere');
        assert.match(heard, /^HTTP\/1.1 503 .*none is at \[fd09:0:0:0:0:0:0:33\]:80/s);
      });

      const alone: readonly [string, number, string, number][] = [
        ["the sidecar's own user", SIDECAR, '10.9.0.33', 80],
        ['an excluded port', APP, '10.9.0.33', 2222],
        ['an excluded network', APP, '10.9.0.70', 80],
      ];
      for (const [what, uid, host, port] of alone)
        it(`leaves alone ${what}`, async () => assert.equal(await ask(uid, host, port, 'orders'), ''));

      it('leaves alone loopback', async () => {
        const heard = await ask(APP, '127.0.0.1', ports.app, 'orders');
        assert.match(heard, /^HTTP\/1.1 200 OK\r\n/);
        assert.doesNotMatch(heard, /x-signet-caller/);
      });

      it('is gone when it is removed, and may be removed again', async () => {
        await redirect('--remove');
        assert.equal(await rules(), 0);
        assert.equal(await ask(APP, '10.9.0.33', 80, 'orders'), '');
        const { stdout } = await namespace.run('nft', ['list', 'ruleset']);
        assert.doesNotMatch(stdout, /signet/);
        assert.match(stdout, /table inet far/, 'what others wrote stays');
        await redirect('--remove');
      });
    });

  it('is by nft where that works', async () => {
    const { stdout } = await redirect('--print', '--uid', '998');
    assert.match(stdout, /^table inet signet \{$/m);
    assert.equal(await rules(), 0, 'what is printed is not applied');
  });

  const wrong: readonly [string, RegExp][] = [
    ['', /say one of/],
    ['--apply --print --uid 1', /say one of/],
    ['--apply', /--uid is missing/],
    ['--apply --uid nobody', /--uid is not a number/],
    ['--apply --uid 1 --outbound-port 0', /--outbound-port is not/],
    ['--apply --uid 1 --exclude-ports 22,', /--exclude-ports is not/],
    ['--apply --uid 1 --exclude-cidr 10.0.0.0/33', /after the slash/],
    ['--apply --uid 1 --exclude-cidr example.org', /--exclude-cidr is not/],
    ['--apply --uid 1 --backend pf', /--backend is nft or iptables/],
    ['--apply --uid 1 --port 3', /--port/],
  ];
  for (const [line, told] of wrong)
    it(`refuses: ${line || 'no option'}`, async () => {
      const args = line === '' ? [] : line.split(' ');
      const error = await redirect(...args).then(
        () => assert.fail('it was accepted'),
        (failure: { code: number; stderr: string }) => failure,
      );
      assert.equal(error.code, 2);
      assert.match(error.stderr, told);
    });
});
