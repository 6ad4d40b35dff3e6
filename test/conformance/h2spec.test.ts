import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { connect } from 'node:tls';
import { type Suite, Test } from 'mocha';
import { createMetrics } from '../../lib/adapter/metrics.ts';
import { h2specBinary } from '../../setup/h2spec.mjs';
import type { Credentials } from '../../sidecar/identity/credentials.ts';
import { createOutbound } from '../../sidecar/outbound/index.ts';
import { h2cWorld } from '../sidecar/http2/world.ts';
import { answering, world } from '../sidecar/inbound/world.ts';
import { upstream } from '../sidecar/outbound/world.ts';
import { dialPlain, portOf } from '../sidecar/sockets.ts';
import { clock, quiet } from '../sidecar/support.ts';
import { runH2spec, sectionOf, type Verdict, type Verdicts } from './h2spec.ts';

/** Cases that h2spec 2.2.1 has. */
const CASES = 145;
/** h2spec gives each answer two seconds, which a busy machine may not keep: a case that failed is asked again. */
const TRIES = 3;
const BODY = 'more than a few bytes, as some cases want';
/** A port that speaks HTTP/1 too answers a wrong preface as the HTTP/1 request that it may be, which h2spec cannot read. */
const NO_PREFACE = 'http2/3.5: Sends invalid connection preface';

describe("conformance: h2spec's cases that bare node:http2 passes", function () {
  this.timeout(240_000);
  const resources = new AsyncDisposableStack();
  const bare = { passed: new Set<string>() };
  const ours: Record<'inbound' | 'outbound', Map<string, Verdict>> = {
    inbound: new Map(),
    outbound: new Map(),
  };
  const suites = {} as Record<keyof typeof ours, Suite>;
  let outboundAddress = '';

  before(async function () {
    const program = h2specBinary();
    if (program === undefined) {
      assert.notEqual(process.env['CI'], 'true', 'h2spec is not built');
      this.skip();
    }
    const inboundPort = await behindOurCertificate(resources);
    outboundAddress = await serveOutbound(resources);
    const [reference, inbound, outbound] = await Promise.all([
      runH2spec(program, await serveBare(resources)),
      runH2spec(program, inboundPort),
      runH2spec(program, portOf(outboundAddress)),
    ]);
    for (const [title, { outcome }] of reference) if (outcome === 'passed') bare.passed.add(title);
    ours.inbound = await again(program, inboundPort, inbound);
    ours.outbound = await again(program, portOf(outboundAddress), outbound);
    for (const [side, suite] of Object.entries(suites) as [keyof typeof ours, Suite][])
      for (const title of bare.passed) {
        if (side === 'outbound' && title === NO_PREFACE) continue;
        suite.addTest(
          new Test(title, () => {
            const verdict = ours[side].get(title);
            assert.equal(verdict?.outcome, 'passed', verdict?.why ?? 'not run');
          }),
        );
      }
  });

  after(() => resources.disposeAsync());

  /** Asks once more for the sections in which something failed that must not. */
  async function again(program: string, port: number, first: Verdicts): Promise<Map<string, Verdict>> {
    const verdicts = new Map(first);
    for (let tries = 1; tries < TRIES; tries++) {
      const failed = [...bare.passed].filter((title) => verdicts.get(title)?.outcome === 'failed');
      if (failed.every((title) => title === NO_PREFACE)) break;
      const sections = new Set(failed.map(sectionOf));
      for (const [title, verdict] of await runH2spec(program, port, [...sections]))
        if (failed.includes(title)) verdicts.set(title, verdict);
    }
    return verdicts;
  }

  it('are nearly all there are', () => {
    assert.ok(bare.passed.size > CASES - 15, `${bare.passed.size} of ${CASES}`);
    assert.deepEqual([ours.inbound.size, ours.outbound.size], [CASES, CASES]);
  });

  describe('inbound, over mTLS, to an app that speaks HTTP/2', function () {
    suites.inbound = this;
  });

  describe('outbound, by prior knowledge, to an app that speaks HTTP/1.1', function () {
    suites.outbound = this;
    it(`${NO_PREFACE}: refused in the words of HTTP/1.1, and ended`, async () => {
      using client = await dialPlain(outboundAddress);
      client.send('INVALID CONNECTION PREFACE\r\n\r\n');
      assert.match(await client.ends(), /^HTTP\/1\.1 400 /);
    });
  });
});

/** Node's own server with its own defaults. */
async function serveBare(resources: AsyncDisposableStack): Promise<number> {
  const server = createServer((_request, response) => response.end(BODY));
  server.on('sessionError', () => {});
  return serve(server, resources);
}

/**
 * h2spec has no certificate to show. It speaks to a port whose every byte goes on, as it is, over a TLS connection that shows one, and back:
 * what is tried is our inbound side alone.
 */
async function behindOurCertificate(resources: AsyncDisposableStack): Promise<number> {
  const w = resources.use(
    await h2cWorld((stream) => {
      stream.respond({ ':status': 200 });
      stream.end(BODY);
    }),
  );
  return serve(pipingIntoTls(w.inbound.address, w.web), resources);
}

function pipingIntoTls(address: string, { current }: Credentials): Server {
  return createTcpServer({ allowHalfOpen: true }, (plain) => {
    const tls = connect({
      host: '127.0.0.1',
      port: portOf(address),
      key: current!.key.export({ type: 'pkcs8', format: 'pem' }),
      cert: current!.certChainPem,
      ca: current!.bundlePem,
      checkServerIdentity: () => undefined,
      ALPNProtocols: ['h2'],
    });
    for (const [from, to] of [
      [plain, tls],
      [tls, plain],
    ] as const) {
      from.pipe(to);
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
  });
}

async function serveOutbound(resources: AsyncDisposableStack): Promise<string> {
  const answer = answering(`HTTP/1.1 200 OK\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`);
  const w = resources.use(await world({ answer }));
  const outbound = await createOutbound({
    listen: { host: '127.0.0.1', port: 0 },
    // what h2spec names as its host
    upstreams: [upstream('127.0.0.1', [portOf(w.inbound.address)])],
    credentials: w.web,
    clock,
    log: quiet,
    metrics: createMetrics(),
  });
  resources.defer(async () => void (await outbound.close({ deadlineMs: 0 })));
  return outbound.address;
}

async function serve(server: Server, resources: AsyncDisposableStack): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  resources.defer(async () => void server.close());
  return (server.address() as AddressInfo).port;
}
