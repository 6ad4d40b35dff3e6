import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Directory, directoryOf } from '../../../broker/services/directory.ts';
import {
  type KubernetesPod,
  type KubernetesService,
  type KubernetesSlice,
  readPod,
  readService,
  readSlice,
} from '../../../broker/services/objects.ts';
import { podIds } from '../../../broker/services/pod-ids.ts';
import { type Entry, parseEntry } from '../../../lib/attestation/index.ts';

function entry(name: string, match: Readonly<Record<string, string>>, id: string): Entry {
  const spiffe_id = `spiffe://example.org/${id}`;
  return parseEntry(
    {
      tenant: 'acme/shop',
      name,
      match,
      spiffe_id,
      ttl: '15m',
      networks: [],
      federates_with: [],
      state: 'active',
    },
    { trustDomain: 'example.org' },
  );
}

const SHOP = entry('shop', { 'k8s:cluster': 'main', 'k8s:ns': 'shop' }, 'ns/{k8s:ns}/sa/{k8s:sa}');

function service(more: object = {}, annotations: object = {}): KubernetesService {
  return {
    metadata: { name: 'orders', namespace: 'shop', annotations: { ...annotations } },
    spec: { type: 'ClusterIP', clusterIPs: ['10.96.0.7'], ports: [{ name: 'http', port: 80 }], ...more },
  };
}

function pod(
  name: string,
  ip: string,
  more: { account?: string; metadata?: object; spec?: object; status?: object } = {},
) {
  const made: KubernetesPod = {
    metadata: {
      ...{ name, namespace: 'shop', uid: `uid-${name}`, labels: { 'signet/injected': 'true' } },
      annotations: { 'signet/inbound': '8080' },
      ...more.metadata,
    },
    spec: { serviceAccountName: more.account ?? 'orders', nodeName: 'node-1', ...more.spec },
    status: { phase: 'Running', podIPs: [{ ip }], ...more.status },
  };
  return made;
}

function slice(pods: readonly string[], more: object = {}, port = 8080): KubernetesSlice {
  return {
    metadata: { name: 'orders-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'orders' } },
    ports: [{ name: 'http', port }],
    endpoints: pods.map((each) => {
      const [name, address = ''] = each.split('@');
      const targetRef = { kind: 'Pod', name, uid: `uid-${name}` };
      return { addresses: [address], conditions: { ready: true }, targetRef, ...more };
    }),
  };
}

function assembled(
  services: readonly KubernetesService[],
  slices: readonly KubernetesSlice[],
  pods: readonly KubernetesPod[],
  entries: readonly Entry[] = [SHOP],
): Directory {
  const { directory } = directoryOf({
    cluster: 'main',
    services: services.map((each) => readService(each)!),
    slices: slices.map((each) => readSlice(each)!),
    pods: new Map(
      pods.map((each) => [`${each.metadata?.namespace}/${each.metadata?.name}`, readPod('main', each, [])!]),
    ),
    idOf: podIds(entries),
  });
  return directory;
}

/** `80 10.0.0.1:8443=ns/shop/sa/orders`, or why it is absent. */
function told({ services }: Directory): string[] {
  return services.flatMap(({ absent, ports }) =>
    absent !== undefined
      ? [absent]
      : ports.map(({ port, endpoints }) =>
          [
            port,
            ...endpoints.map((at) => `${at.address}=${at.spiffe_id.slice('spiffe://example.org/'.length)}`),
          ].join(' '),
        ),
  );
}

const A = pod('a', '10.0.0.1');
const B = pod('b', '10.0.0.2');

describe('broker: directory of Services', () => {
  const cases: readonly [string, Directory, readonly string[]][] = [
    [
      'each address with the ID of the very pod that has it',
      assembled(
        [service()],
        [slice(['a@10.0.0.1', 'b@10.0.0.2'])],
        [A, pod('b', '10.0.0.2', { account: 'thief' })],
      ),
      ['80 10.0.0.1:8443=ns/shop/sa/orders 10.0.0.2:8443=ns/shop/sa/thief'],
    ],
    [
      'only the accounts that the Service names',
      assembled(
        [service({}, { 'signet/service-accounts': 'orders, billing' })],
        [slice(['a@10.0.0.1', 'b@10.0.0.2'])],
        [A, pod('b', '10.0.0.2', { account: 'thief' })],
      ),
      ['80 10.0.0.1:8443=ns/shop/sa/orders'],
    ],
    [
      'nobody where the accounts cannot be read',
      assembled([service({}, { 'signet/service-accounts': 7 })], [slice(['a@10.0.0.1'])], [A]),
      ['other_account'],
    ],
    [
      'no address that the kubelet did not report of that pod',
      assembled([service()], [slice(['a@10.0.0.1', 'b@10.0.0.9'])], [A, B]),
      ['80 10.0.0.1:8443=ns/shop/sa/orders'],
    ],
    [
      'no pod that took the name of another',
      assembled([service()], [slice(['a@10.0.0.1'])], [pod('a', '10.0.0.1', { metadata: { uid: 'later' } })]),
      ['not_injected'],
    ],
    [
      'no finished pod, and none on the address of its node',
      assembled(
        [service()],
        [slice(['a@10.0.0.1', 'b@10.0.0.2'])],
        [
          pod('a', '10.0.0.1', { status: { phase: 'Failed' } }),
          pod('b', '10.0.0.2', { spec: { hostNetwork: true } }),
        ],
      ),
      ['not_injected'],
    ],
    [
      'a Service of pods that are not injected is absent',
      assembled([service()], [slice(['a@10.0.0.1'])], []),
      ['not_injected'],
    ],
    [
      'one whose pods get no ID is absent',
      assembled([service()], [slice(['a@10.0.0.1'])], [A], [entry('other', { 'k8s:ns': 'elsewhere' }, 'x')]),
      ['no_identity'],
    ],
    [
      'one whose registration is disabled is there, while SVIDs of it last',
      assembled([service()], [slice(['a@10.0.0.1'])], [A], [{ ...SHOP, state: 'disabled' }]),
      ['80 10.0.0.1:8443=ns/shop/sa/orders'],
    ],
    [
      'two registrations that tie give no ID',
      assembled(
        [service()],
        [slice(['a@10.0.0.1'])],
        [A],
        [SHOP, entry('rival', { 'k8s:sa': 'orders', 'k8s:ns': 'shop' }, 'ns/shop/sa/rival')],
      ),
      ['no_identity'],
    ],
    [
      'a port that the sidecar does not lead to has no endpoints',
      assembled(
        [
          service({
            ports: [
              { name: 'http', port: 80 },
              { name: 'metrics', port: 9090 },
            ],
          }),
        ],
        [
          slice(['a@10.0.0.1']),
          { ...slice(['a@10.0.0.1'], {}, 9090), ports: [{ name: 'metrics', port: 9090 }] },
        ],
        [A],
      ),
      ['80 10.0.0.1:8443=ns/shop/sa/orders', '9090'],
    ],
    [
      'one that no sidecar leads to at all is absent',
      assembled([service()], [slice(['a@10.0.0.1'], {}, 9090)], [A]),
      ['other_port'],
    ],
    [
      'not ready: there, and empty',
      assembled([service()], [slice(['a@10.0.0.1'], { conditions: { ready: false } })], [A]),
      ['80'],
    ],
    [
      'terminating: there, and empty',
      assembled(
        [service()],
        [slice(['a@10.0.0.1'], { conditions: { ready: true, terminating: true } })],
        [A],
      ),
      ['80'],
    ],
    [
      'ready unless it says that it is not',
      assembled([service()], [slice(['a@10.0.0.1'], { conditions: {} })], [A]),
      ['80 10.0.0.1:8443=ns/shop/sa/orders'],
    ],
    ['no pods at present: there, and empty', assembled([service()], [], []), ['80']],
    [
      'another name for something else is absent',
      assembled([service({ type: 'ExternalName' })], [], []),
      ['external_name'],
    ],
    [
      'UDP alone is absent',
      assembled([service({ ports: [{ port: 53, protocol: 'UDP' }] })], [], []),
      ['no_ports'],
    ],
    [
      'a pod of both families is one endpoint, by the family that the Service puts first',
      assembled(
        [service({ ipFamilies: ['IPv6', 'IPv4'] })],
        [slice(['a@10.0.0.1']), slice(['a@fd00::1'])],
        [pod('a', '10.0.0.1', { status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } })],
      ),
      ['80 [fd00::1]:8443=ns/shop/sa/orders'],
    ],
    [
      "the sidecar's port is what the injector wrote down",
      assembled(
        [service()],
        [slice(['a@10.0.0.1'])],
        [
          pod('a', '10.0.0.1', {
            metadata: { annotations: { 'signet/inbound': '8080', 'signet/status': '{"inbound_port":9443}' } },
          }),
        ],
      ),
      ['80 10.0.0.1:9443=ns/shop/sa/orders'],
    ],
  ];
  for (const [name, directory, want] of cases) it(name, () => assert.deepEqual(told(directory), want));

  it('a headless Service tells the port of its pods', () => {
    const { services } = assembled([service({ clusterIPs: ['None'] })], [slice(['a@10.0.0.1'])], [A]);
    assert.deepEqual(services[0]?.cluster_ips, []);
    assert.equal(services[0]?.ports[0]?.target, 8080);
  });

  it('the same objects in another order are the same version, and another ID is another', () => {
    const [one, other] = [slice(['a@10.0.0.1']), slice(['b@10.0.0.2'])];
    const first = assembled([service()], [one, other], [A, B]);
    assert.equal(assembled([service()], [other, one], [B, A]).version, first.version);
    const moved = assembled([service()], [one, other], [A, pod('b', '10.0.0.2', { account: 'thief' })]);
    assert.notEqual(moved.version, first.version);
  });

  it('leaves out what one namespace has too much of, and nothing of the others', () => {
    const crowd = (count: number, ports: readonly object[]) =>
      Array.from({ length: count }, (_, i) => ({
        metadata: { name: `s${String(i).padStart(5, '0')}`, namespace: 'crowd' },
        spec: { ports },
      }));
    const ports = Array.from({ length: 64 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
    const many = crowd(400, ports);
    const metadata = { name: 'c', namespace: 'crowd', uid: 'uid-c' };
    const pods = [A, pod('c', '10.0.0.3', { metadata })];
    const behind = many.map((each) => ({
      ...slice(['c@10.0.0.3']),
      metadata: { namespace: 'crowd', labels: { 'kubernetes.io/service-name': each.metadata.name } },
      ports: ports.map(({ name }) => ({ name, port: 8080 })),
    }));
    const entries = [SHOP, entry('crowd', { 'k8s:ns': 'crowd' }, 'ns/crowd')];
    for (const [services, slices, most] of [
      [crowd(6_000, [{ port: 80 }]), [], 5_000],
      [many, behind, 400],
    ] as const) {
      const found = assembled([...services, service()], [...slices, slice(['a@10.0.0.1'])], pods, entries);
      const own = found.services.filter(({ namespace }) => namespace === 'shop');
      assert.deepEqual(told({ ...found, services: own }), ['80 10.0.0.1:8443=ns/shop/sa/orders']);
      assert.ok(found.services.length > 200 && found.services.length <= most, `${found.services.length}`);
      const endpoints = found.services.flatMap((each) => each.ports.flatMap((port) => port.endpoints));
      assert.ok(endpoints.length <= 20_000);
    }
  });

  it('tells no more than a sidecar reads, however long the IDs of one namespace are', () => {
    const ports = Array.from({ length: 64 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
    const many = Array.from({ length: 320 }, (_, i) => ({
      metadata: { name: `s${i}`, namespace: 'crowd' },
      spec: { ports },
    }));
    const metadata = { name: 'c', namespace: 'crowd', uid: 'uid-c' };
    const behind = many.map((each) => ({
      ...slice(['c@10.0.0.3']),
      metadata: { namespace: 'crowd', labels: { 'kubernetes.io/service-name': each.metadata.name } },
      ports: ports.map(({ name }) => ({ name, port: 8080 })),
    }));
    const long = entry('crowd', { 'k8s:ns': 'crowd' }, `${'x'.repeat(60)}/`.repeat(32).slice(0, -1));
    const { services } = assembled(
      [...many, service()],
      [...behind, slice(['a@10.0.0.1'])],
      [A, pod('c', '10.0.0.3', { metadata })],
      [SHOP, long],
    );
    const size = JSON.stringify(services).length;
    assert.ok(size > 8 * 1024 * 1024 && size <= 16 * 1024 * 1024, `${size} characters`);
    assert.equal(services.filter(({ namespace }) => namespace === 'shop').length, 1);
  });

  it('tells of no more ports than a small sidecar can hold', () => {
    const ports = Array.from({ length: 64 }, (_, i) => ({ name: `p${i}`, port: i + 1 }));
    const crowd = Array.from({ length: 5_000 }, (_, i) => ({
      metadata: { name: `s${i}`, namespace: 'crowd' },
      spec: { ports },
    }));
    const { services } = assembled([...crowd, service()], [slice(['a@10.0.0.1'])], [A]);
    assert.ok(services.flatMap((each) => each.ports).length <= 20_000);
    assert.equal(services.filter(({ namespace }) => namespace === 'shop').length, 1);
  });

  it('looks at a pod once for a Service, however often slices name it', () => {
    let asked = 0;
    const again = slice(Array(1_000).fill('a@10.0.0.1'));
    const { directory } = directoryOf({
      cluster: 'main',
      services: [readService(service())!],
      slices: Array.from({ length: 50 }, () => readSlice(again)!),
      pods: new Map([['shop/a', readPod('main', A, [])!]]),
      idOf: () => {
        asked++;
        return 'spiffe://example.org/a';
      },
    });
    assert.deepEqual([told(directory), asked], [['80 10.0.0.1:8443=a'], 1]);
  });

  it('remembers no more of pods than there can be, however often their labels change', async () => {
    const match = { 'k8s:ns': 'shop', 'k8s:label:app': 'orders' };
    const program = `
      import { podIds } from './broker/services/pod-ids.ts';
      const idOf = podIds([${JSON.stringify(entry('labelled', match, 'orders'))}]);
      const of = (app) => idOf({ selectors: new Map([['k8s:ns', ['shop']], ['k8s:label:app', [app]]]) });
      for (let i = 0; i < 500_000; i++) of(String(i).padStart(63, 'x'));
      console.log(of('orders'), of('x'));`;
    const flags = ['--max-old-space-size=40', '--input-type=module', '-e', program];
    const { stdout } = await promisify(execFile)(process.execPath, flags);
    assert.equal(stdout, 'spiffe://example.org/orders undefined\n');
  });

  it('leaves out what is too much, and says how much', () => {
    const many = Array.from({ length: 5_002 }, (_, i) => ({
      metadata: { name: `s${String(i).padStart(5, '0')}`, namespace: 'shop' },
      spec: { ports: [{ port: 80 }] },
    }));
    const { directory, leftOut } = directoryOf({
      cluster: 'main',
      services: many.map((each) => readService(each)!),
      ...{ slices: [], pods: new Map(), idOf: () => undefined },
    });
    assert.deepEqual([directory.services.length, leftOut], [5_000, 2]);
  });

  it('reads whatever an API server sends, and throws at none of it', () => {
    const odd = [undefined, null, 7, 'x', [], {}, [null], [7], { ports: 7 }];
    for (const metadata of odd)
      for (const value of odd) {
        const object = { metadata, spec: value, status: value, ports: value, endpoints: value } as never;
        readService(object);
        readSlice(object);
        readPod('main', object, ['a']);
      }
  });
});
