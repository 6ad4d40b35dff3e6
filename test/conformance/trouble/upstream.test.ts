import assert from 'node:assert/strict';
import { freePort } from '../../../harness/port.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { createOutbound, type OutboundDeps } from '../../../sidecar/outbound/index.ts';
import { answering, world } from '../../sidecar/inbound/world.ts';
import { upstream } from '../../sidecar/outbound/world.ts';
import { portOf } from '../../sidecar/sockets.ts';
import { type Authority, authority, clock, credentialsFor, quiet, WEB } from '../../sidecar/support.ts';
import { ASKERS, type Heard } from './asking.ts';
import { type BadUpstream, mute, resetting, silent } from './bad-upstreams.ts';
import { ASKING } from './callers.ts';
import { ShopApp } from './shop-app.ts';
import { faults, OK, Traffic } from './traffic.ts';

const CONNECT_MS = 300;
const RESPONSE_MS = 300;
/** What a busy machine adds. */
const SLACK_MS = 5_000;

async function outboundTo(ca: Authority, ports: readonly number[], more: Partial<OutboundDeps> = {}) {
  return createOutbound({
    listen: { host: '127.0.0.1', port: 0 },
    upstreams: [upstream('orders', ports)],
    credentials: await credentialsFor(ca, WEB),
    clock,
    log: quiet,
    metrics: createMetrics(),
    limits: { connectMs: CONNECT_MS, responseMs: RESPONSE_MS },
    ...more,
  });
}

const statuses = (heard: readonly Heard[]) => heard.map(({ status }) => status);
const codeOf = ({ body }: Heard) => (JSON.parse(body) as { code?: string }).code;

/** Of no use before a request could be sent, and what is said when there is no other. */
const unreachable: Readonly<Record<string, readonly [begin: () => Promise<BadUpstream>, status: number]>> = {
  'takes connections and never speaks': [mute, 504],
  'resets every handshake': [resetting, 502],
};

describe('upstream trouble', function () {
  this.timeout(30_000);

  for (const protocol of ['HTTP/1.1', 'HTTP/2'] as const) {
    const ask = ASKERS[protocol]!;
    const askMany = (address: string, many: number) =>
      Promise.all(Array.from({ length: many }, (_, i) => ask(address, i % 2 === 0 ? undefined : 'hi')));

    for (const [what, [begin, status]] of Object.entries(unreachable)) {
      it(`${protocol}: beside an address that ${what} the other serves all, and it is left out`, async () => {
        const ca = await authority();
        await using bad = await begin();
        await using good = await world({ ca, answer: answering() });
        const metrics = createMetrics();
        const ports = [bad.port, portOf(good.inbound.address)];
        await using outbound = await outboundTo(ca, ports, { metrics });
        assert.deepEqual(statuses(await askMany(outbound.address, 20)), Array(20).fill(200));
        assert.match(metrics.render(), /signet_outbound_ejections_total\{[^}]*\} [1-9]/);
        assert.deepEqual(statuses(await askMany(outbound.address, 20)), Array(20).fill(200));
      });

      it(`${protocol}: ${status} in time when every address ${what}`, async () => {
        const ca = await authority();
        await using one = await begin();
        await using two = await begin();
        await using outbound = await outboundTo(ca, [one.port, two.port]);
        const start = performance.now();
        for (const heard of await askMany(outbound.address, 10))
          assert.deepEqual([heard.status, codeOf(heard)], [status, 'upstream_unreachable']);
        assert.ok(performance.now() - start < 2 * CONNECT_MS + SLACK_MS);
      });
    }

    // a caller of HTTP/1.1 is carried on by nothing else
    for (const protocols of protocol === 'HTTP/1.1' ? [['http/1.1']] : [['http/1.1'], ['h2']])
      it(`${protocol}: 504 in time from one that completes the handshake by ${protocols} and never answers; beside another it is left out after five`, async () => {
        const ca = await authority();
        await using bad = await silent(ca, protocols);
        await using alone = await outboundTo(ca, [bad.port]);
        const start = performance.now();
        for (const heard of await askMany(alone.address, 5))
          assert.deepEqual([heard.status, codeOf(heard)], [504, 'upstream_timeout']);
        assert.ok(performance.now() - start < CONNECT_MS + RESPONSE_MS + SLACK_MS);
        const { connections } = bad;
        assert.equal((await ask(alone.address)).status, 504);
        assert.equal(bad.connections, connections + 1, 'one that is silent is not used again');
        await using good = await world({ ca, answer: answering() });
        const metrics = createMetrics();
        await using outbound = await outboundTo(ca, [bad.port, portOf(good.inbound.address)], { metrics });
        const heard: Heard[] = [];
        for (let i = 0; i < 14; i++) heard.push(await ask(outbound.address));
        assert.equal(statuses(heard).filter((each) => each === 504).length, 5);
        assert.match(metrics.render(), /signet_outbound_ejections_total\{[^}]*code="timeout"[^}]*\} 1/);
      });
  }

  it('names that lead elsewhere under load, or nowhere for a while, lose nothing', async () => {
    const ca = await authority();
    const port = await freePort();
    await using shop = await ShopApp.start();
    const app = { host: '127.0.0.1', port: shop.port, h2c: true as const };
    const places = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
    await using _one = await world({ ca, app, listen: { host: places[0]!, port } });
    await using _two = await world({ ca, app, listen: { host: places[1]!, port } });
    await using _three = await world({ ca, app, listen: { host: places[2]!, port } });
    let found: readonly string[] | Error = [places[0]!];
    await using outbound = await outboundTo(ca, [], {
      upstreams: [{ ...upstream('orders', []), addresses: [{ host: 'orders.internal', port }] }],
      lookupMs: 100,
      lookup: async () => {
        if (found instanceof Error) throw found;
        return found;
      },
      limits: {},
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await using traffic = new Traffic({ http: outbound.address, tcp: '' }, ASKING);
    for (const next of [[1], [2], [0, 1], null, [0, 1, 2], [2], null, [1]]) {
      found =
        next === null ? Object.assign(new Error('no'), { code: 'EAI_AGAIN' }) : next.map((i) => places[i]!);
      await new Promise((resolve) => setTimeout(resolve, 250));
      await traffic.moved(2);
    }
    const outcomes = await traffic.stop();
    assert.deepEqual(faults(outcomes, [OK]), {});
    assert.deepEqual(shop.repeated, []);
  });
});
