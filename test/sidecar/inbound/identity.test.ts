import assert from 'node:assert/strict';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import { createInbound } from '../../../sidecar/inbound/index.ts';
import { createCa } from '../../support/ca.ts';
import { dialTls, portOf, until } from '../sockets.ts';
import { clock, credentialsFor, decider, ORDERS, quiet, svid, WEB } from '../support.ts';
import { problemIn, type World, world } from './world.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';
const HOUR_MS = 3_600_000;

describe('inbound: who may come in', () => {
  let w: World;
  before(async () => {
    w = await world();
  });
  after(() => w[Symbol.asyncDispose]());

  it('tells the app who called, and records the decision with the serial', async () => {
    using client = await w.dial();
    client.send(GET);
    await client.hears('ok');
    assert.match(w.app.received, new RegExp(`x-signet-caller: ${WEB}\r\n\r\n$`));
    const { type, effect, rule, caller, serial, method, path } = w.audit.events.at(-1)!;
    assert.deepEqual(
      { type, effect, rule, caller: String(caller), method, path },
      { type: 'decision', effect: 'allow', rule: 'web-all', caller: WEB, method: 'GET', path: '/a' },
    );
    assert.match(String(serial), /^[0-9a-f]{2}(:[0-9a-f]{2})+$/);
  });

  const refusedHandshake = async (client: Awaited<ReturnType<World['dial']>>) => {
    const before = w.app.received.length;
    client.send(GET);
    assert.equal(await client.ends(), '');
    assert.equal(w.app.received.length, before);
  };

  it('refuses a handshake without a certificate', async () => {
    using client = await dialTls(w.inbound.address, null);
    await refusedHandshake(client);
  });

  it('refuses a handshake with a certificate of another authority', async () => {
    const root = await createCa();
    const stranger = await credentialsFor({ root, issuer: await root.intermediate() }, WEB);
    using client = await dialTls(w.inbound.address, stranger, { ca: w.ca.root.pem });
    await refusedHandshake(client);
  });

  it('refuses TLS 1.2', async () => {
    using client = await dialTls(w.inbound.address, w.web, { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' });
    await refusedHandshake(client);
  });

  it('refuses a client that speaks neither HTTP/1.1 nor HTTP/2', async () => {
    using client = await dialTls(w.inbound.address, w.web, { ALPNProtocols: ['h3'] });
    await refusedHandshake(client);
  });

  it('resumes no session: every connection is judged by its own handshake', async () => {
    using client = await w.dial();
    let session: Buffer | undefined;
    client.socket.on('session', (offered: Buffer) => {
      session = offered;
    });
    client.send(GET);
    await client.hears('ok');
    await until(() => session !== undefined);
    using again = await dialTls(w.inbound.address, w.web, { session: session! });
    again.send(GET);
    await again.hears('ok');
    assert.equal((again.socket as TLSSocket).isSessionReused(), false);
  });

  const url = (value: string) => ({ type: 'url', value }) as const;
  const defects = [
    ['two URIs', { sans: [url(WEB), url(ORDERS)] }, 'SVID_MANY_URI_SANS'],
    ['no URI', { sans: [{ type: 'dns', value: 'web' }] }, 'SVID_NO_URI_SAN'],
    ['a DNS name beside', { sans: [url(WEB), { type: 'dns', value: 'web' }] }, 'SVID_OTHER_SAN'],
    ['another trust domain', { sans: [url('spiffe://elsewhere.org/web')] }, 'SVID_WRONG_TRUST_DOMAIN'],
    ['no path', { sans: [url('spiffe://example.org')] }, 'SVID_BAD_ID'],
  ] as const;
  for (const [name, options, code] of defects) {
    it(`401 for a certificate with ${name}`, async () => {
      const odd = await credentialsFor(w.ca, WEB, options);
      const before = w.app.received.length;
      using client = await dialTls(w.inbound.address, odd);
      client.send(GET);
      const problem = problemIn(await client.ends());
      assert.deepEqual([problem.status, problem['code']], [401, code]);
      assert.equal(w.app.received.length, before);
    });
  }
});

describe('inbound: what changes while connections live', () => {
  it('403 says which rule denied, under which decision', async () => {
    await using w = await world({
      documents: [{ name: 'no-admin', effect: 'deny', when: { path: { starts: '/admin/' } } }],
    });
    using client = await w.dial();
    client.send(
      'GET /admin/x HTTP/1.1\r\nHost: orders\r\n\r\nGET /other HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n',
    );
    const heard = await client.ends();
    const [first, second] = [problemIn(heard.slice(0, heard.lastIndexOf('HTTP/1.1 403'))), problemIn(heard)];
    assert.deepEqual(
      [first['code'], first['rule'], second['code'], second['rule']],
      ['policy_denied', 'no-admin', 'no_rule', null],
    );
    assert.deepEqual(
      [first['decision_id'], second['decision_id']],
      w.audit.events.map((event) => event['id']),
    );
    assert.equal(w.app.connections.length, 0);
  });

  it('503 while the audit takes no record, and serves again after', async () => {
    await using w = await world();
    using client = await w.dial();
    w.audit.accepting = false;
    client.send(GET);
    await client.hears('not_decided');
    assert.equal(w.app.connections.length, 0);
    w.audit.accepting = true;
    client.send(GET);
    await client.hears(/ok$/);
  });

  it('503 once our own identity has ended', async () => {
    let now = Date.now();
    await using w = await world({ clock: { now: () => new Date(now) } });
    using client = await w.dial();
    client.send(GET);
    await client.hears('ok');
    now = w.orders.current!.notAfter.getTime();
    client.send(GET);
    assert.equal(problemIn(await client.hears('no_svid')).status, 503);
    w.orders.withdraw();
    client.send(GET);
    await client.hears((text) => text.split('no_svid').length === 3);
  });

  it('401 for a peer whose certificate ends while it is connected, and cuts it when it is idle', async () => {
    let now = Date.now();
    await using w = await world({ clock: { now: () => new Date(now) } });
    w.web.publish(await svid(w.ca.issuer, w.ca.root, WEB, { notAfter: new Date(now + HOUR_MS / 2) }));
    using busy = await w.dial();
    using idle = await w.dial();
    busy.send(GET);
    await busy.hears('ok');
    now += HOUR_MS / 2;
    busy.send(GET);
    const problem = problemIn(await busy.ends());
    assert.deepEqual([problem.status, problem['code']], [401, 'SVID_EXPIRED']);
    await idle.ends();
  });

  it('cuts a peer that was put on the deny-list, in the middle of an exchange too, and refuses it afterwards', async () => {
    const denied = new Set<string>();
    await using w = await world({
      answer: () => {},
      denied: (peer) => (denied.has(String(peer.id)) ? 'denied by its id' : null),
    });
    using client = await w.dial();
    client.send(GET);
    await until(() => w.app.received !== '');
    denied.add(WEB);
    assert.equal(w.inbound.recheck(), 1);
    assert.equal(await client.ends(), '');
    using again = await w.dial();
    again.send(GET);
    const problem = problemIn(await again.ends());
    assert.deepEqual([problem.status, problem['code']], [401, 'peer_denied']);
  });

  it('cuts peers whose authority left the bundle, and no others', async () => {
    await using w = await world();
    const next = await createCa('example.org', { subject: 'CN=next' });
    const nextIssuer = await next.intermediate({ subject: 'CN=next issuing' });
    const both = w.ca.root.pem + next.pem;
    w.orders.publish({ ...w.orders.current!, bundlePem: both });
    const moved = await credentialsFor({ root: next, issuer: nextIssuer }, WEB);
    using old = await w.dial();
    using fresh = await dialTls(w.inbound.address, moved, { ca: both });
    for (const client of [old, fresh]) {
      client.send(GET);
      await client.hears('ok');
    }
    w.orders.publish({ ...w.orders.current!, bundlePem: next.pem });
    await old.ends();
    fresh.send(GET);
    await fresh.hears(/ok.*ok$/s);
  });

  it('new connections see a new SVID, and old ones live on', async () => {
    await using w = await world();
    using old = await w.dial();
    const before = shown(old);
    w.orders.publish(await svid(w.ca.issuer, w.ca.root, ORDERS));
    using fresh = await w.dial();
    assert.notEqual(shown(fresh), before);
    old.send(GET);
    await old.hears('ok');
  });

  it('handshakes fail while there is no identity', async () => {
    await using w = await world();
    const credentials = createCredentials();
    await using bare = await createInbound({
      listen: { host: '127.0.0.1', port: 0 },
      app: { host: '127.0.0.1', port: w.app.port },
      trustDomain: 'example.org',
      credentials,
      decider: decider([]),
      clock,
      log: quiet,
      metrics: createMetrics(),
    });
    const socket = connectTls({ host: '127.0.0.1', port: portOf(bare.address), rejectUnauthorized: false });
    const error = await new Promise((resolve) => socket.on('error', resolve));
    assert.ok(error instanceof Error);
    credentials.publish(w.orders.current!);
    using client = await dialTls(bare.address, w.web);
    client.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
    await client.hears('no_rule');
  });
});

function shown(client: { readonly socket: unknown }): string {
  return (client.socket as TLSSocket).getPeerX509Certificate()!.serialNumber;
}
