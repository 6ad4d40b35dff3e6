import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseCallees } from '../../../sidecar/config/services.ts';
import { readDirectory } from '../../../sidecar/services/directory.ts';
import { namingOf, serviceNamed } from '../../../sidecar/services/naming.ts';
import { ORDERS } from '../support.ts';
import { answerOf } from './support.ts';

const sound = () =>
  answerOf({ 'orders.shop': { ips: ['10.96.0.7'], ports: { 80: { '10.0.0.1:8443': ORDERS } } } });

describe('sidecar: what a broker tells of Services', () => {
  const hosts = () => [
    { host: 'orders.internal', addresses: ['10.0.0.5:8443', '[fd00::5]:8443'], spiffe_ids: [ORDERS] },
  ];
  it('is read of registered ones by host; a broker that says nothing of them has none', () => {
    const { byHost } = readDirectory({ ...sound(), registered: hosts() }, 'example.org');
    const { addresses, ids } = byHost.get('orders.internal')!;
    assert.deepEqual(
      addresses.map(({ host, port }) => `${host} ${port}`),
      ['10.0.0.5 8443', 'fd00::5 8443'],
    );
    assert.deepEqual(ids.map(String), [ORDERS]);
    assert.equal(readDirectory(sound(), 'example.org').byHost.size, 0);
  });
  // biome-ignore lint/suspicious/noExplicitAny: broken in ways its type would not allow
  const brokenHosts: readonly [string, (hosts: any) => void][] = [
    ['a host that is none', ([one]) => (one.host = 'orders')],
    ['a host twice', (all) => all.push(all[0])],
    ['no addresses', ([one]) => delete one.addresses],
    ['an address without a port', ([one]) => (one.addresses = ['10.0.0.5'])],
    ['nobody who may answer', ([one]) => (one.spiffe_ids = [])],
    ["another trust domain's ID", ([one]) => (one.spiffe_ids = ['spiffe://elsewhere.org/a'])],
    ['nothing', (all) => (all[0] = null)],
  ];
  for (const [name, spoil] of brokenHosts)
    it(`is taken of registered ones as a whole or not at all: ${name}`, () => {
      const registered = hosts();
      spoil(registered);
      assert.throws(() => readDirectory({ ...sound(), registered }, 'example.org'), {
        code: 'BROKER_ANSWER',
      });
    });

  it('is read by name and by cluster IP', () => {
    const { services, byIp } = readDirectory(sound(), 'example.org');
    const [place] = services.get('orders.shop')!.ports[0]!.places;
    assert.deepEqual([place?.host, place?.port, String(place?.id)], ['10.0.0.1', 8443, ORDERS]);
    assert.equal(byIp.get('10.96.0.7'), services.get('orders.shop'));
  });

  // biome-ignore lint/suspicious/noExplicitAny: broken in ways its type would not allow
  const broken: readonly [string, (answer: any) => void][] = [
    ['no list', (answer) => delete answer.services],
    ['no version', (answer) => delete answer.version],
    ['no time', (answer) => delete answer.seen_at],
    ['a name that is none', ({ services }) => (services[0].name = 'a.b')],
    ['a Service twice', ({ services }) => services.push(services[0])],
    ['an address without a port', ({ services }) => (services[0].ports[0].endpoints[0].address = '10.0.0.1')],
    ['port 0', ({ services }) => (services[0].ports[0].endpoints[0].address = '10.0.0.1:0')],
    ['a port that is none', ({ services }) => (services[0].ports[0].port = 70_000)],
    ['an ID that is none', ({ services }) => (services[0].ports[0].endpoints[0].spiffe_id = 'orders')],
    [
      "another trust domain's ID",
      ({ services }) => (services[0].ports[0].endpoints[0].spiffe_id = 'spiffe://elsewhere.org/a'),
    ],
    ['no ID', ({ services }) => delete services[0].ports[0].endpoints[0].spiffe_id],
    ['more Services than there may be', (answer) => (answer.services = new Array(5_001).fill({}))],
  ];
  for (const [name, spoil] of broken)
    it(`is taken as a whole or not at all: ${name}`, () => {
      const answer = sound();
      spoil(answer);
      assert.throws(() => readDirectory(answer, 'example.org'), { code: 'BROKER_ANSWER' });
    });

  it('throws nothing but its own error, whatever comes', () => {
    const bytes = JSON.stringify({ ...sound(), registered: hosts() });
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 0x7fffffff) % below;
    for (let i = 0; i < 20_000; i++) {
      const at = random(bytes.length);
      const piece = ['', 'null', '[]', '{}', '"', '0', '-1', 'x'][random(8)]!;
      let body: unknown;
      try {
        body = JSON.parse(bytes.slice(0, at) + piece + bytes.slice(at + random(12)));
      } catch {
        continue;
      }
      try {
        readDirectory(body, 'example.org');
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'BROKER_ANSWER');
      }
    }
  });
});

describe('sidecar: names of Services', () => {
  const pod = namingOf('nameserver 10.96.0.10\nsearch shop.svc.k8s.example svc.k8s.example k8s.example\n');
  const bare = namingOf('nameserver 127.0.0.1\nsearch office.example\n');
  it('are those of the resolver of the pod', () => {
    assert.deepEqual(pod, { namespace: 'shop', domain: 'k8s.example' });
    assert.deepEqual(bare, { namespace: null, domain: 'cluster.local' });
    assert.deepEqual(namingOf(''), { namespace: null, domain: 'cluster.local' });
  });
  const cases: readonly [string, string | undefined][] = [
    ['orders', 'orders.shop'],
    ['orders.pay', 'orders.pay'],
    ['orders.pay.svc', 'orders.pay'],
    ['orders.pay.svc.k8s.example', 'orders.pay'],
    ['orders.pay.svc.k8s.example.', 'orders.pay'],
    ['orders.pay.svc.cluster.local', undefined],
    ['a.orders.pay.svc', undefined],
    ['orders.svc', undefined],
    ['svc', 'svc.shop'],
    ['.svc', undefined],
    ['.', undefined],
    ['', undefined],
    ['orders.', 'orders.shop'],
    ['.pay', undefined],
  ];
  for (const [host, want] of cases)
    it(`${JSON.stringify(host)} is ${want ?? 'none'}`, () => assert.equal(serviceNamed(host, pod), want));
  it('alone mean nothing where no namespace is known', () =>
    assert.equal(serviceNamed('orders', bare), undefined));
});

describe('sidecar: the word services among the upstreams', () => {
  const fixed = `orders=10.0.0.7:8443#${ORDERS}`;
  const cases: readonly [string, object | undefined, number][] = [
    ['services', {}, 0],
    [`services ${fixed}`, {}, 1],
    [`${fixed} services:main`, { cluster: 'main' }, 1],
    ['services:main/shop/k8s.example', { cluster: 'main', namespace: 'shop', domain: 'k8s.example' }, 0],
    ['services:/shop', { namespace: 'shop' }, 0],
    ['services:-', { cluster: '-' }, 0],
    [fixed, undefined, 1],
  ];
  for (const [text, services, upstreams] of cases)
    it(text, () => {
      const callees = parseCallees(text);
      assert.deepEqual([callees.services, callees.upstreams.length], [services, upstreams]);
    });
  for (const text of ['services services', 'services:MAIN', 'services:a/b/c/d', 'services:a/b/..', 'service'])
    it(`refuses ${text}`, () => assert.throws(() => parseCallees(text), { name: 'Error' }));
});
