import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type TLSSocket } from 'node:tls';
import { freePort } from '../../../harness/port.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createCredentials } from '../../../sidecar/identity/credentials.ts';
import { createInbound } from '../../../sidecar/inbound/index.ts';
import { createOutbound } from '../../../sidecar/outbound/index.ts';
import type { CertificateOptions } from '../../support/ca.ts';
import { createCa } from '../../support/ca.ts';
import { OK, problemIn } from '../inbound/world.ts';
import { dialPlain, portOf } from '../sockets.ts';
import {
  type Authority,
  authority,
  clock,
  credentialsFor,
  decider,
  ORDERS,
  quiet,
  svid,
  WEB,
} from '../support.ts';
import { pair, upstream } from './world.ts';

const get = (host: string) => `GET /a HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

/** A TLS server that shows what `options` make of ORDERS' certificate and counts the bytes it is sent. */
async function impostor(ca: Authority, options: CertificateOptions = {}, id = ORDERS) {
  const shown = await svid(ca.issuer, ca.root, id, options);
  const seen = { bytes: 0, connections: 0 };
  const server = createServer(
    {
      key: shown.key.export({ type: 'pkcs8', format: 'pem' }),
      cert: shown.certChainPem,
      requestCert: true,
      rejectUnauthorized: false,
    },
    (socket: TLSSocket) => {
      seen.connections++;
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        seen.bytes += chunk.length;
        socket.write(OK);
      });
    },
  );
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return { seen, port, [Symbol.dispose]: () => void server.close() };
}

describe('outbound: secure naming', () => {
  const url = (value: string) => ({ type: 'url', value }) as const;
  const cases: readonly [string, CertificateOptions, string][] = [
    [
      'another workload of the trust domain',
      { sans: [url('spiffe://example.org/ns/shop/sa/thief')] },
      'SVID_WRONG_ID',
    ],
    ['the right ID among two', { sans: [url(ORDERS), url(WEB)] }, 'SVID_MANY_URI_SANS'],
    [
      'no ID but the right host name',
      {
        sans: [
          { type: 'dns', value: 'orders' },
          { type: 'ip', value: '127.0.0.1' },
        ],
      },
      'SVID_NO_URI_SAN',
    ],
    [
      'another trust domain',
      { sans: [url('spiffe://elsewhere.org/ns/shop/sa/orders')] },
      'SVID_WRONG_TRUST_DOMAIN',
    ],
    [
      'a certificate that has ended',
      { notBefore: new Date(Date.now() - 2e6), notAfter: new Date(Date.now() - 1e6) },
      'CERT_HAS_EXPIRED',
    ],
    ['an authority’s certificate', { ca: true }, 'SVID_IS_CA'],
  ];
  for (const [name, options, cause] of cases) {
    it(`sends nothing to a server that shows ${name}`, async () => {
      const ca = await authority();
      using server = await impostor(ca, options);
      await using outbound = await createOutbound({
        listen: { host: '127.0.0.1', port: 0 },
        upstreams: [upstream('orders', [server.port])],
        credentials: await credentialsFor(ca, WEB),
        clock,
        log: quiet,
        metrics: createMetrics(),
      });
      using app = await dialPlain(outbound.address);
      app.send(`POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 6\r\n\r\nsecret`);
      const problem = problemIn(await app.hears('"cause"'));
      assert.deepEqual(
        [problem.status, problem['code'], problem['cause']],
        [502, 'upstream_identity', cause],
      );
      assert.equal(server.seen.bytes, 0);
    });
  }

  it('sends nothing to a server of another authority', async () => {
    const root = await createCa();
    using server = await impostor({ root, issuer: await root.intermediate() });
    await using p = await pair({ outbound: { upstreams: [upstream('orders', [server.port])] } });
    using app = await dialPlain(p.outbound.address);
    app.send(get('orders'));
    assert.equal(problemIn(await app.hears('"cause"'))['code'], 'upstream_identity');
    assert.equal(server.seen.bytes, 0);
  });

  it('a sidecar that has no SVID yet is one that cannot be reached, and no impostor', async () => {
    await using w = await pair();
    await using starting = await createInbound({
      listen: { host: '127.0.0.1', port: 0 },
      app: { host: '127.0.0.1', port: w.app.port },
      trustDomain: 'example.org',
      credentials: createCredentials(),
      decider: decider([]),
      clock,
      log: quiet,
      metrics: createMetrics(),
    });
    const upstreams = [upstream('orders', [portOf(starting.address)])];
    await using p = await pair({ outbound: { upstreams } });
    using app = await dialPlain(p.outbound.address);
    app.send(get('orders'));
    const problem = problemIn(await app.hears('"cause"'));
    assert.deepEqual([problem.status, problem['code']], [502, 'upstream_unreachable']);
  });

  it('takes any of the IDs that may answer', async () => {
    await using w = await pair();
    const ports = [portOf(w.inbound.address)];
    await using outbound = await createOutbound({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: [upstream('orders', ports, [WEB, ORDERS])],
      credentials: w.web,
      clock,
      log: quiet,
      metrics: createMetrics(),
    });
    using app = await dialPlain(outbound.address);
    app.send(get('orders'));
    await app.hears(OK);
  });

  it('404 for a host that is no upstream, naming those there are', async () => {
    await using p = await pair();
    using app = await dialPlain(p.outbound.address);
    for (const host of ['elsewhere', 'orders.', '127.0.0.1:80', '[::1]:80', 'orders.example.org']) {
      app.received = '';
      app.send(get(host));
      const problem = problemIn(await app.hears('"upstreams"'));
      assert.deepEqual([problem.status, problem['upstreams']], [404, ['orders']]);
    }
    app.send(get('ORDERS:8080'));
    await app.hears(OK);
  });

  it('503 without an identity, and serves as soon as there is one', async () => {
    await using p = await pair();
    const credentials = createCredentials();
    await using outbound = await createOutbound({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: [upstream('orders', [portOf(p.inbound.address)])],
      credentials,
      clock,
      log: quiet,
      metrics: createMetrics(),
    });
    using app = await dialPlain(outbound.address);
    app.send(get('orders'));
    assert.equal(problemIn(await app.hears('no_svid')).status, 503);
    credentials.publish(p.web.current!);
    app.send(get('orders'));
    await app.hears(OK);
    credentials.withdraw();
    app.received = '';
    app.send(get('orders'));
    await app.hears('no_svid');
  });

  it('tells of an upstream that refuses our certificate', async () => {
    const root = await createCa();
    const foreign = await credentialsFor({ root, issuer: await root.intermediate() }, WEB);
    await using p = await pair();
    foreign.publish({ ...foreign.current!, bundlePem: p.ca.root.pem });
    await using outbound = await createOutbound({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: [upstream('orders', [portOf(p.inbound.address)])],
      credentials: foreign,
      clock,
      log: quiet,
      metrics: createMetrics(),
    });
    using app = await dialPlain(outbound.address);
    app.send(get('orders'));
    const problem = problemIn(await app.hears('"cause"'));
    assert.equal(problem.status, 502);
    assert.match(String(problem['detail']), /refused our certificate/);
    assert.equal(p.app.connections.length, 0);
  });

  it('tries the next address when one does not answer, and says so when none does', async () => {
    await using p = await pair();
    const [dead, live] = [await freePort(), portOf(p.inbound.address)];
    await using outbound = await createOutbound({
      listen: { host: '127.0.0.1', port: 0 },
      upstreams: [upstream('orders', [dead, live]), upstream('dead', [dead])],
      credentials: p.web,
      clock,
      log: quiet,
      metrics: createMetrics(),
    });
    for (let i = 0; i < 3; i++) {
      using app = await dialPlain(outbound.address);
      app.send(`POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello`);
      assert.match(await app.ends(), /200 OK/);
    }
    using app = await dialPlain(outbound.address);
    app.send(get('dead'));
    assert.equal(problemIn(await app.hears('"cause"'))['code'], 'upstream_unreachable');
  });
});
