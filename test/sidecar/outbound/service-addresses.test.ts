import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { HTTP2 } from '../../../sidecar/http2/index.ts';
import { Destination } from '../../../sidecar/outbound/destination.ts';
import { Discovered } from '../../../sidecar/outbound/discovered.ts';
import { POOL_LIMITS } from '../../../sidecar/outbound/index.ts';
import { Listener, RELAY_LIMITS } from '../../../sidecar/relay/index.ts';
import { HandHeld } from '../services/support.ts';
import { clock, ORDERS, quiet } from '../support.ts';

const SHOP = {
  'orders.shop': { ips: ['10.96.0.7'], ports: { 80: { '10.0.0.1:8443': ORDERS }, 81: {} } },
  'pods.shop': { target: 8080, ports: { 80: { '10.0.0.1:8443': ORDERS, '[fd00::2]:8443': ORDERS } } },
};

/** What is meant by each address: a name and the addresses of it, a refusal's code, or nothing. */
async function meant(services: HandHeld, ...steps: ReadonlyArray<readonly [string, number] | (() => void)>) {
  const metrics = createMetrics();
  const relay = new Listener({
    limits: { ...RELAY_LIMITS, ...POOL_LIMITS },
    http2: HTTP2,
    crowded: () => {},
  });
  const [failures, ejections] = [metrics.counter('a', ''), metrics.counter('b', '')];
  const deps = { relay, clock, log: quiet, prover: null, failures, ejections };
  const lookup = async () => [];
  using found = new Discovered(services, [], { ...deps, denied: () => null, lookup, lookupMs: 1_000 });
  const told: (string | null)[] = [];
  for (const step of steps) {
    if (typeof step === 'function') {
      step();
      continue;
    }
    const one = found.byAddress({ host: step[0], port: step[1] });
    if (one === null) told.push(null);
    else if (one instanceof Destination)
      told.push([one.name, ...one.at.map(({ host, port }) => `${host}:${port}`)].join(' '));
    else told.push(one.problem.code);
  }
  await relay.close(0);
  return told;
}

describe('outbound: Services by address', () => {
  it('are meant by their cluster IP and port, and headless ones by a pod and its port', async () => {
    assert.deepEqual(
      await meant(
        new HandHeld(SHOP),
        ...([
          ['10.96.0.7', 80],
          ['10.96.0.7', 81],
          ['10.96.0.7', 82],
          ['10.96.0.8', 80],
          ['10.0.0.1', 8080],
          ['fd00::2', 8080],
          ['10.0.0.1', 80],
          ['10.0.0.9', 8080],
        ] as const),
      ),
      [
        'orders.shop:80 10.0.0.1:8443',
        'no_endpoints',
        'unknown_port',
        null,
        '10.0.0.1:8080 10.0.0.1:8443',
        '[fd00::2]:8080 fd00::2:8443',
        null,
        null,
      ],
    );
  });

  it('mean nothing before the first list, and no more once they are gone', async () => {
    const services = new HandHeld();
    const asks = [
      ['10.0.0.1', 8080],
      ['10.96.0.7', 80],
    ] as const;
    const told = await meant(
      services,
      ...asks,
      () => services.tell(SHOP),
      ...asks,
      () => services.tell({}),
      ...asks,
    );
    assert.deepEqual(told, [
      null,
      null,
      '10.0.0.1:8080 10.0.0.1:8443',
      'orders.shop:80 10.0.0.1:8443',
      null,
      null,
    ]);
  });
});
