import assert from 'node:assert/strict';
import { ask, Http2App, openSession } from '../http2/world.ts';
import { dialTls, until } from '../sockets.ts';
import { authority, credentialsFor } from '../support.ts';
import { ID, type ServiceOptions, service, user } from './world.ts';

/** Every name in which the app, or the next sidecar, hears our word. */
const NAMES = [
  'x-signet-caller',
  'x-signet-user',
  'x-signet-claims',
  'x-signet-assertion',
  'x-signet-transaction',
  'txn-token',
];
const FORGED = 'forged';
const USER = user({ claims: { email: 'a@b' } });
const settings = { claims: ['email'] };

/** What an app may take for `name`, in lower case as HTTP/2 has it. */
function aliases(name: string): string[] {
  return ['_', '.', '~', '!', '*']
    .map((joint) => name.replaceAll('-', joint))
    .concat(name.replace('-', '_'), name.replace(/-(?=[^-]*$)/, '.'));
}

const capitals = (name: string) => name.replace(/\b[a-z]/g, (c) => c.toUpperCase());
const SPOKEN = NAMES.filter((name) => name !== 'txn-token');

/** Each of our names once, with what we say. */
function assertOurs(raw: readonly (readonly [name: string, value: string])[]): void {
  const ours = raw.filter(([name]) => /signet|txn/i.test(name));
  assert.deepEqual(ours.map(([name]) => name).sort(), [...SPOKEN].sort());
  assert.equal(ours.find(([name]) => name === 'x-signet-caller')?.[1], ID('web'));
  assert.equal(ours.find(([name]) => name === 'x-signet-user')?.[1], '"alice";iss="https://idp.example"');
  for (const [, value] of raw) assert.ok(!value.includes(FORGED), value);
}

const APPS = ['http/1.1', 'h2c'] as const;

/** ORDERS before an app of that kind; what the app was sent last, as names and values. */
async function inFrontOf(kind: (typeof APPS)[number], options: ServiceOptions = {}) {
  const ca = await authority();
  const stack = new AsyncDisposableStack();
  const app = kind === 'h2c' ? stack.use(await Http2App.start()) : null;
  const orders = stack.use(
    await service(ca, 'orders', {
      ...{ settings, user: USER },
      ...(app === null ? {} : { app: { host: '127.0.0.1', port: app.port, h2c: true as const } }),
      ...options,
    }),
  );
  const web = await credentialsFor(ca, ID('web'));
  const pairs = (flat: readonly string[]) =>
    flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]!] as const] : []));
  const seen = () => [
    ...orders.app.received.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(': ');
      return colon === -1 ? [] : [[line.slice(0, colon).toLowerCase(), line.slice(colon + 2)] as const];
    }),
    ...(app?.requests.flatMap(({ raw }) => pairs(raw)) ?? []),
  ];
  const reached = () => orders.judged.length;
  return { orders, web, seen, reached, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe('what a client says in our name by HTTP/1.1', () => {
  const hello = 'GET / HTTP/1.1\r\nHost: orders\r\n';

  for (const [how, lines] of [
    ['in our own spelling', SPOKEN],
    ['with capitals', SPOKEN.map(capitals)],
    ['in capitals throughout', SPOKEN.map((name) => name.toUpperCase())],
    ['in spellings that apps fold', SPOKEN.flatMap(aliases)],
    ['twice and more', [...SPOKEN, ...SPOKEN, ...SPOKEN.map(capitals)]],
  ] as const) {
    it(`is removed by HTTP/1.1: ${how}`, async () => {
      await using w = await inFrontOf('http/1.1');
      using client = await dialTls(w.orders.inbound.address, w.web);
      client.send(`${hello}${lines.map((name) => `${name}: ${FORGED}\r\n`).join('')}\r\n`);
      assert.match(await client.hears(/HTTP\/1.1 \d{3}/), /^HTTP\/1.1 200/);
      assertOurs(w.seen());
    });
  }

  it('is not taken away by Connection', async () => {
    await using w = await inFrontOf('http/1.1');
    using client = await dialTls(w.orders.inbound.address, w.web);
    const named = SPOKEN.join(', ');
    client.send(
      `${hello}Connection: keep-alive, ${named}\r\nConnection: X_Signet_User, X-SIGNET-CALLER\r\n\r\n`,
    );
    assert.match(await client.hears(/HTTP\/1.1 \d{3}/), /^HTTP\/1.1 200/);
    assertOurs(w.seen());
  });

  it('is removed, the Txn-Token too, where transactions are off', async () => {
    await using w = await inFrontOf('http/1.1', {
      settings: { claims: [], assertion: false, transaction: false },
      user: user(),
    });
    using client = await dialTls(w.orders.inbound.address, w.web);
    client.send(`${hello}${NAMES.map((name) => `${capitals(name)}: ${FORGED}\r\n`).join('')}\r\n`);
    assert.match(await client.hears(/HTTP\/1.1 \d{3}/), /^HTTP\/1.1 200/);
    const ours = w.seen().filter(([name]) => /signet|txn/.test(name));
    assert.deepEqual(
      ours.map(([name]) => name),
      ['x-signet-caller', 'x-signet-user'],
    );
    await until(() => w.reached() === 1);
  });

  it('is refused as a Txn-Token, in whatever spelling', async () => {
    await using w = await inFrontOf('http/1.1');
    for (const name of ['txn-token', 'TXN-TOKEN', ...aliases('txn-token')]) {
      using client = await dialTls(w.orders.inbound.address, w.web);
      client.send(`${hello}Connection: close\r\n${name}: ${FORGED}\r\n\r\n`);
      assert.match(await client.ends(), /"code":"txn_token_refused"/, name);
    }
    assert.deepEqual([w.reached(), w.seen()], [0, []]);
  });

  it('is refused in trailers', async () => {
    await using w = await inFrontOf('http/1.1');
    for (const name of [...NAMES, ...NAMES.flatMap(aliases)]) {
      using client = await dialTls(w.orders.inbound.address, w.web);
      const post = 'POST / HTTP/1.1\r\nHost: orders\r\nTransfer-Encoding: chunked\r\n\r\n';
      client.send(`${post}2\r\nhi\r\n0\r\n${name}: ${FORGED}\r\n\r\n`);
      assert.match(await client.ends(), /"code":"trailer_forbidden"/, name);
    }
    for (const [field, value] of w.seen()) assert.ok(!value.includes(FORGED), field);
  });
});

for (const kind of APPS) {
  describe(`what a client says in our name by HTTP/2, to an app of ${kind}`, () => {
    for (const [how, names] of [
      ['in our own spelling', SPOKEN],
      ['in spellings that apps fold', SPOKEN.flatMap(aliases)],
    ] as const) {
      it(`is removed by HTTP/2: ${how}`, async () => {
        await using w = await inFrontOf(kind);
        const session = await openSession(w.orders.inbound.address, w.web);
        const fields = Object.fromEntries(names.map((name) => [name, [FORGED, FORGED]]));
        const { status } = await ask(session, { ':path': '/', ...fields });
        session.destroy();
        assert.equal(status, 200);
        assertOurs(w.seen());
      });
    }

    it('is refused in trailers', async () => {
      await using w = await inFrontOf(kind);
      const session = await openSession(w.orders.inbound.address, w.web);
      for (const name of [...NAMES, ...NAMES.flatMap(aliases)]) {
        const fields = { ':method': 'POST', ':path': '/', te: 'trailers' };
        const { status, code } = await ask(session, fields, 'hi', { [name]: FORGED });
        assert.ok(status === 400 || code !== 0, `${name}: ${status} ${code}`);
      }
      session.destroy();
      for (const [field, value] of w.seen()) assert.ok(!value.includes(FORGED), field);
    });
  });
}
