import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import type { CredentialHolder } from '../../../sidecar/identity/credentials.ts';
import { openServices, type Services } from '../../../sidecar/services/index.ts';
import { until } from '../../broker/site.ts';
import { type Answer, type ScriptedBroker, startScriptedBroker } from '../../fakes/scripted-broker.ts';
import { type Authority, authority, credentialsFor, ORDERS, quiet, WEB } from '../support.ts';
import { answerOf, type Listed } from './support.ts';

const PATH = '/v1/services';

describe('sidecar: the feed of Services', () => {
  let ca: Authority;
  let broker: ScriptedBroker;
  let credentials: CredentialHolder;
  let services: Services;
  let metrics: ReturnType<typeof createMetrics>;
  let shown: Answer | 'drop' | 'silence';
  beforeEach(async () => {
    ca = await authority();
    const wrap = () => 'none';
    broker = await startScriptedBroker({ vault: { address: 'http://127.0.0.1:1', root: ca.root, wrap } });
    shown = 'silence';
    broker.answers[PATH] = ({ path }) => {
      const version = typeof shown === 'string' ? undefined : (shown.body as { version?: string }).version;
      return path.endsWith(`since=${version}`) ? 'silence' : shown;
    };
    credentials = await credentialsFor(ca, WEB);
    metrics = createMetrics();
    services = await openServices({
      settings: { cluster: 'main' },
      broker: { trustDomain: 'example.org', url: broker.url, ca: broker.ca },
      ...{ credentials, log: quiet, metrics, resolvConf: 'search shop.svc.cluster.local' },
    });
  });
  afterEach(async () => {
    services[Symbol.dispose]();
    await broker[Symbol.asyncDispose]();
  });

  const asked = () => broker.asked.filter(({ path }) => path.startsWith(PATH)).map(({ path }) => path);
  /** From now on, and to a question that is asked anew. */
  const tell = async (answer: Answer | 'drop') => {
    shown = answer;
    credentials.publish((await credentialsFor(ca, WEB)).current!);
  };
  const list = (listed: Readonly<Record<string, Listed>>) => tell({ status: 200, body: answerOf(listed) });

  it('has none until the broker tells, and then asks by what it has', async () => {
    assert.equal(services.current, null);
    assert.match(metrics.render(), /^signet_services_stale 1$/m);
    const seen: number[] = [];
    services.subscribe((directory) => seen.push(directory.services.size));
    await list({ 'orders.shop': { ports: { 80: { '10.0.0.1:8443': ORDERS } } } });
    await until(() => services.current !== null);
    assert.deepEqual(seen, [1]);
    assert.equal(services.naming.namespace, 'shop');
    const version = services.current!.version;
    await until(() => asked().at(-1) === `${PATH}?cluster=main&since=${version}`);
    assert.match(metrics.render(), /^signet_services_stale 0$/m);
  });

  it('keeps the last good list while the broker is away or tells nonsense, and says so', async () => {
    await list({ 'orders.shop': {} });
    await until(() => services.current !== null);
    const kept = services.current;
    await tell({ status: 200, body: { ...answerOf({}), services: 7 } });
    await until(() => services.status.fault === 'broker_answer');
    assert.equal(services.current, kept);
    await tell('drop');
    await until(() => services.status.fault === 'broker_unreachable');
    assert.equal(services.current, kept);
    assert.match(metrics.render(), /^signet_services_stale 1$/m);
    await list({ 'orders.shop': {}, 'more.shop': {} });
    await until(() => services.current?.services.size === 2);
    await until(() => services.status.fault === null);
  });

  it('says why it is refused', async () => {
    await tell({ status: 404, body: { status: 404, code: 'cluster_unknown' } });
    await until(() => services.status.fault !== null);
    assert.equal(services.status.fault, 'broker_refused');
  });
});
