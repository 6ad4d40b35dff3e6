import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'mocha';
import { type LoggingProcess, runProcess, startProcess } from '../../harness/processes.ts';
import { mayRedirect, Namespace } from './namespace.ts';

const stage = fileURLToPath(new URL('./transparent-users-stage.ts', import.meta.url));
const signet = fileURLToPath(new URL('../../bin/signet.mjs', import.meta.url));

/** Services on one machine: the user of the app, that of its sidecar, and the port of SIGNET_TRANSPARENT. */
const SERVICES = [
  { name: 'web', app: 61_001, sidecar: 62_001, port: 15_006 },
  { name: 'stock', app: 61_002, sidecar: 62_002, port: 15_007 },
] as const;
const OTHER = 65_534;
const [FAR, FAR6] = ['10.9.0.33', 'fd09::33'];

describe('transparent redirect of several services on one machine', function () {
  this.timeout(60_000);
  let namespace: Namespace;
  let services: LoggingProcess;

  before(async function () {
    if (!mayRedirect()) this.skip();
    namespace = await Namespace.create();
    const words = SERVICES.map(({ name, sidecar, port }) => `${name}:${sidecar}:${port}`);
    services = await startProcess({ script: stage, args: words, inside: namespace.inside });
    const { plain } = await services.waitForEvent('staged', undefined, 50_000);
    // in the place of a network: what goes its own way to these addresses arrives at a plain server
    await namespace.run(
      'nft',
      ['-f', '-'],
      `table inet far {\n chain output { type nat hook output priority -99;
      ip daddr ${FAR} tcp dport 80 dnat ip to 127.0.0.1:${plain}
      ip6 daddr ${FAR6} tcp dport 80 dnat ip6 to [::1]:${plain}\n }\n}\n`,
    );
  });
  after(async () => {
    await services?.stop();
    await namespace?.[Symbol.asyncDispose]();
  });

  const redirect = (...args: readonly string[]) =>
    namespace.run(process.execPath, [signet, 'sidecar', 'iptables', ...args]);
  const apply = async (backend: string) => {
    for (const { name, app, port } of SERVICES) {
      const from = ['--name', name, '--from-uid', String(app), '--outbound-port', String(port)];
      await redirect('--apply', '--backend', backend, ...from);
    }
  };
  const calledBy = (name: string) =>
    new RegExp(`^HTTP/1.1 200 OK\r\n.*called by spiffe://example.org/ns/shop/sa/${name}\n`, 's');
  /** All rules that there are, without counters. */
  const rules = async () =>
    (
      await Promise.all(
        [['nft', 'list', 'ruleset'], ['iptables-save'], ['ip6tables-save']].map(
          async ([file = '', ...args]) => (await namespace.run(file, args)).stdout,
        ),
      )
    )
      .join('')
      .replace(/^#.*\n|\[\d+:\d+\]|counter packets \d+ bytes \d+ /gm, '');

  for (const backend of ['nft', 'iptables'] as const)
    describe(`by ${backend}`, () => {
      before(() => apply(backend));

      for (const { name, app } of SERVICES)
        it(`the call of the app ${name} arrives under the SPIFFE ID of ${name}`, async () => {
          assert.match(await namespace.ask(app, FAR, 80, 'orders'), calledBy(name));
        });

      it('by IPv6 an app reaches nobody where its sidecar does not listen', async () => {
        for (const { app } of SERVICES) assert.equal(await namespace.ask(app, FAR6, 80, 'orders'), '');
      });

      it('a third user, root and the sidecars go where they call', async () => {
        for (const uid of [OTHER, 0, ...SERVICES.map(({ sidecar }) => sidecar)])
          for (const far of [FAR, FAR6])
            assert.match(await namespace.ask(uid, far, 80, 'orders'), /^HTTP\/1.1 200 OK\r\n.*\nplain\n/s);
      });

      it('a second time changes nothing', async () => {
        const once = await rules();
        await apply(backend);
        assert.equal(await rules(), once);
      });

      it('the rules of one are removed, and those of the other stay', async () => {
        const [web, stock] = SERVICES;
        await redirect('--remove');
        assert.match(await namespace.ask(web.app, FAR, 80, 'orders'), calledBy('web'));
        await redirect('--remove', '--name', 'web');
        assert.match(await namespace.ask(web.app, FAR, 80, 'orders'), /\nplain\n/);
        assert.match(await namespace.ask(stock.app, FAR, 80, 'orders'), calledBy('stock'));
        await redirect('--remove', '--name', 'web');
        await redirect('--remove', '--name', 'stock');
        assert.doesNotMatch(await rules(), /signet/);
        assert.match(await rules(), /table inet far/, 'what others wrote stays');
      });

      it('a name of 21 characters is one that the kernel takes', async () => {
        const name = 'a-name-of-21-lettersx';
        await redirect('--apply', '--backend', backend, '--from-uid', '61009', '--name', name);
        assert.match(await rules(), new RegExp(`signet_${name}`));
        await redirect('--remove', '--name', name);
        assert.doesNotMatch(await rules(), /signet/);
      });
    });
});

describe('options of the redirect of one service', function () {
  this.timeout(20_000);
  const redirect = (line: string) =>
    runProcess({ args: ['sidecar', 'iptables', ...line.split(' ')], env: {} });

  const written: readonly [string, readonly string[]][] = [
    [
      '--backend nft --from-uid 1001 --from-uid 1002 --from-uid 1001 --uid 998 --name web-1',
      [
        'table inet signet_web-1 {',
        'meta skuid { 998 } return',
        'meta skuid { 1001, 1002 } meta l4proto tcp redirect to :15006',
      ],
    ],
    [
      '--backend nft --from-uid 0',
      ['table inet signet {', 'meta skuid { 0 } meta l4proto tcp redirect to :15006'],
    ],
    [
      '--backend iptables --from-uid 1001 --from-uid 1002 --name 2',
      [
        ':signet_2 - [0:0]',
        '-A signet_2 -p tcp -m owner --uid-owner 1001 -j REDIRECT --to-ports 15006',
        '-A signet_2 -p tcp -m owner --uid-owner 1002 -j REDIRECT --to-ports 15006',
        '# iptables -t nat -A OUTPUT -p tcp -j signet_2',
        '# ip6tables -t nat -A OUTPUT -p tcp -j signet_2',
      ],
    ],
  ];
  for (const [line, wanted] of written)
    it(`--print ${line}`, async () => {
      const { code, stdout, stderr } = await redirect(`--print ${line}`);
      assert.equal(code, 0, stderr);
      const lines = stdout.split('\n').map((each) => each.trim());
      for (const each of wanted) assert.ok(lines.includes(each), `${each} is not in\n${stdout}`);
      const redirecting = lines.filter((each) => /redirect to|REDIRECT/.test(each));
      assert.ok(
        redirecting.every((each) => /skuid|--uid-owner/.test(each)),
        'nobody else is redirected',
      );
    });

  const name = /--name is not 1 to 21 of a-z, 0-9 and -/;
  const wrong: readonly [string, RegExp][] = [
    ['--apply --name web', /--uid is missing/],
    ['--apply --uid 1 --name web', /--name without --from-uid/],
    ['--print --uid 1 --name web', /--name without --from-uid/],
    ['--apply --uid 1 --from-uid 2 --from-uid 1', /1 is given to --uid and to --from-uid/],
    ['--apply --from-uid www-data', /--from-uid is not a number/],
    ['--apply --from-uid -1', /--from-uid/],
    ['--apply --from-uid 4294967295', /--from-uid is not a number/],
    ['--apply --from-uid 1,2', /--from-uid is not a number/],
    ['--apply --from-uid 1 --name a-name-of-22-characters', name],
    ['--apply --from-uid 1 --name Web', name],
    ['--apply --from-uid 1 --name web_1', name],
    ['--apply --from-uid 1 --name a;b', name],
    ['--remove --name a}', name],
    ['--remove --name=', name],
  ];
  for (const [line, told] of wrong)
    it(`refuses: ${line}`, async () => {
      const { code, stderr } = await redirect(line);
      assert.equal(code, 2);
      assert.match(stderr, told);
    });
});
