import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type InjectorWorld, inject } from '../../../broker/admission/inject.ts';
import { readPod } from '../../../broker/admission/pod.ts';
import { loadConfig } from '../../../sidecar/config/index.ts';
import { createCa } from '../../support/ca.ts';
import { applyPatch } from '../../support/json-patch.ts';
import { type AnyPod, CA, configOf, podOf, worldOf } from './cases.ts';

function injected(
  pod: AnyPod,
  world: InjectorWorld = worldOf(),
): { pod: AnyPod; warnings: readonly string[] } {
  const injection = inject(readPod(pod), 'shop', world);
  assert.equal(injection.kind, 'patched', JSON.stringify(injection));
  if (injection.kind !== 'patched') throw new Error('unreachable');
  return { pod: applyPatch(pod, injection.patch), warnings: injection.warnings };
}

function refused(pod: AnyPod, namespace = 'shop'): string {
  const injection = inject(readPod(pod), namespace, worldOf());
  assert.equal(injection.kind, 'refused', JSON.stringify(injection));
  return injection.kind === 'refused' ? injection.defects.join('\n') : '';
}

const envOf = (container: AnyPod): Record<string, string> =>
  Object.fromEntries(container.env.map(({ name, value }: { name: string; value: string }) => [name, value]));
const IN = { 'signet/inbound': '8080' };

describe('the injector', () => {
  it('gives a pod a sidecar that begins first and has to be ready', () => {
    const { pod, warnings } = injected(podOf(IN, { initContainers: [{ name: 'migrate', image: 'app:1' }] }));
    assert.deepEqual(warnings, []);
    assert.deepEqual(
      pod.spec.initContainers.map(({ name }: { name: string }) => name),
      ['signet-sidecar', 'migrate'],
    );
    const [sidecar] = pod.spec.initContainers;
    assert.deepEqual(
      [sidecar.restartPolicy, sidecar.image, sidecar.args],
      ['Always', 'registry.example/signet:1', ['sidecar']],
    );
    assert.deepEqual(sidecar.startupProbe.httpGet, { path: '/readyz', port: 15_021, scheme: 'HTTP' });
    assert.equal(sidecar.startupProbe.periodSeconds, 1);
    assert.equal(sidecar.livenessProbe.httpGet.path, '/healthz');
    assert.deepEqual(envOf(sidecar), {
      SIGNET_TRUST_DOMAIN: 'example.org',
      SIGNET_BROKER_URL: 'https://signet-broker.signet.svc',
      SIGNET_BROKER_CA: '/var/run/signet/broker-ca.pem',
      SIGNET_ATTEST: 'kubernetes:/var/run/secrets/signet/token@main',
      SIGNET_MODE: 'service',
      SIGNET_INBOUND: '0.0.0.0:8443->127.0.0.1:8080',
      SIGNET_ADMIN: '127.0.0.1:15000',
      SIGNET_HEALTH: '0.0.0.0:15021',
      VAULT_ADDR: 'https://vault.vault.svc:8200',
      SIGNET_AUDIT: '- broker',
    });
    assert.equal(pod.metadata.labels['signet/injected'], 'true');
    assert.equal(pod.metadata.annotations['signet/broker-ca'], CA);
    assert.equal(JSON.parse(pod.metadata.annotations['signet/status']).sidecar, 'signet-sidecar');
    assert.deepEqual(
      pod.spec.volumes.map(({ name }: { name: string }) => name),
      ['signet-token', 'signet-trust', 'signet-nothing'],
    );
    assert.deepEqual(pod.spec.volumes[0].projected.sources[0].serviceAccountToken, {
      audience: 'signet',
      expirationSeconds: 3600,
      path: 'token',
    });
  });

  it('confines what it adds, and asks for no capability', () => {
    const { pod } = injected(podOf(IN));
    const { securityContext } = pod.spec.initContainers[0];
    assert.deepEqual(securityContext, {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      seccompProfile: { type: 'RuntimeDefault' },
      capabilities: { drop: ['ALL'] },
    });
    assert.equal(JSON.stringify(pod).includes('"NET_ADMIN"'), false);
  });

  it('redirects only where it is asked to, after the sidecar and before all else', () => {
    const { pod } = injected(
      podOf(
        {
          'signet/redirect': 'true',
          'signet/exclude-ports': '6379, 5432,5432',
          'signet/upstreams': 'services',
        },
        { initContainers: [{ name: 'migrate' }] },
      ),
    );
    const [sidecar, redirect, migrate] = pod.spec.initContainers;
    assert.equal(migrate.name, 'migrate');
    assert.deepEqual(redirect.args, [
      ...['sidecar', 'iptables', '--apply', '--uid', '65532', '--outbound-port', '15006'],
      ...['--exclude-ports', '5432,6379'],
    ]);
    assert.deepEqual(redirect.securityContext.capabilities, { add: ['NET_ADMIN'], drop: ['ALL'] });
    assert.equal(redirect.restartPolicy, undefined, 'it ends');
    assert.equal(envOf(sidecar)['SIGNET_TRANSPARENT'], '127.0.0.1:15006');
    assert.equal(envOf(sidecar)['SIGNET_UPSTREAMS'], 'services:main');
    assert.deepEqual(sidecar.securityContext.capabilities, { drop: ['ALL'] });
  });

  it('tells the app of the proxy where the app says nothing of one', () => {
    const containers = [
      { name: 'a' },
      { name: 'b', env: [{ name: 'X', value: '1' }] },
      { name: 'c', env: [{ name: 'http_proxy', value: 'http://other' }] },
    ];
    const { pod } = injected(
      podOf({ 'signet/proxy-env': 'true', 'signet/upstreams': 'services' }, { containers }),
    );
    const [a, b, c] = pod.spec.containers;
    assert.equal(envOf(a)['HTTP_PROXY'], 'http://127.0.0.1:15001');
    assert.equal(envOf(a)['http_proxy'], 'http://127.0.0.1:15001');
    assert.match(envOf(a)['NO_PROXY'] ?? '', /127\.0\.0\.1/);
    assert.deepEqual([envOf(b)['X'], envOf(b)['HTTP_PROXY']], ['1', 'http://127.0.0.1:15001']);
    assert.deepEqual(c, containers[2]);
  });

  it('keeps an identity and no more where nothing is said of calls, and warns', () => {
    const { pod, warnings } = injected(podOf());
    assert.equal(envOf(pod.spec.initContainers[0])['SIGNET_MODE'], 'agent');
    assert.match(warnings.join(), /carries no call/);
    const services = worldOf({ config: configOf({ upstreams: 'services' }) });
    assert.equal(
      envOf(injected(podOf(), services).pod.spec.initContainers[0])['SIGNET_UPSTREAMS'],
      'services:main',
    );
    const none = injected(podOf({ 'signet/upstreams': 'none', ...IN }), services);
    assert.equal('SIGNET_OUTBOUND' in envOf(none.pod.spec.initContainers[0]), false);
  });

  describe('leaves alone', () => {
    const cases: [string, AnyPod, string][] = [
      ['a pod that says nothing', { metadata: {}, spec: {} }, 'shop'],
      ['a pod that says no', podOf({ 'signet/inject': 'false' }), 'shop'],
      ['a pod of the broker', podOf(IN), 'signet'],
      ['a pod of the cluster itself', podOf(IN), 'kube-system'],
      ['the mirror of a static pod', podOf({ 'kubernetes.io/config.mirror': 'x' }), 'shop'],
      ['what is no pod', 7, 'shop'],
      ['null', null, 'shop'],
      ['a list', [], 'shop'],
    ];
    for (const [what, pod, namespace] of cases)
      it(what, () => assert.equal(inject(readPod(pod), namespace, worldOf()).kind, 'none'));
  });

  describe('refuses, and says why', () => {
    const container = (more: object) => ({ containers: [{ name: 'app', ...more }] });
    const cases: [string, AnyPod, RegExp][] = [
      ['the network of the node', podOf(IN, { hostNetwork: true }), /spec\.hostNetwork/],
      ['Windows', podOf(IN, { os: { name: 'windows' } }), /spec\.os/],
      [
        'a sidecar that is there already',
        podOf(IN, { initContainers: [{ name: 'signet-sidecar' }] }),
        /there already/,
      ],
      ['a container of that name', podOf(IN, container({ name: 'signet-sidecar' })), /the injector's/],
      ['a volume of that name', podOf(IN, { volumes: [{ name: 'signet-token' }] }), /there already/],
      [
        'a label of ours',
        { ...podOf(IN), metadata: { ...podOf(IN).metadata, labels: { 'signet/injected': 'true' } } },
        /label/,
      ],
      [
        "an app that mounts the sidecar's token",
        podOf(IN, container({ volumeMounts: [{ name: 'signet-token' }] })),
        /mounts a volume/,
      ],
      ['a port of the sidecar', podOf(IN, container({ ports: [{ containerPort: 15_021 }] })), /port 15021/],
      ['an app on the port of the sidecar', podOf({ 'signet/inbound': '8443' }), /signet\/inbound/],
      [
        'an app that runs as the sidecar and is redirected',
        podOf({ 'signet/redirect': 'true' }, { securityContext: { runAsUser: 65_532 } }),
        /user 65532/,
      ],
      [
        'a container that does',
        podOf({ 'signet/redirect': 'true' }, container({ securityContext: { runAsUser: 65_532 } })),
        /user 65532/,
      ],
      ['a word for yes', podOf({ 'signet/inject': 'yes' }), /signet\/inject is not true or false/],
      ['an inbound that is no port', podOf({ 'signet/inbound': '0' }), /signet\/inbound/],
      [
        'an inbound of more',
        podOf({ 'signet/inbound': '8080 tcp:0.0.0.0:1->127.0.0.1:2' }),
        /signet\/inbound/,
      ],
      ['an inbound beyond ports', podOf({ 'signet/inbound': '65536' }), /signet\/inbound/],
      ['an upstream without an ID', podOf({ 'signet/upstreams': 'orders=orders:8443' }), /signet\/upstreams/],
      [
        'a variable that Kubernetes would expand',
        podOf({ 'signet/upstreams': 'a=$(X):1#spiffe://example.org/a' }),
        /signet\/upstreams/,
      ],
      [
        'an upstream that listens for others',
        podOf({ 'signet/upstreams': 'a@0.0.0.0:1=b:1#spiffe://example.org/a' }),
        /signet\/upstreams/,
      ],
      [
        'an upstream twice',
        podOf({ 'signet/upstreams': 'a=b:1#spiffe://example.org/a a=c:1#spiffe://example.org/a' }),
        /signet\/upstreams/,
      ],
      [
        'ports that are none',
        podOf({ 'signet/redirect': 'true', 'signet/exclude-ports': '1,x' }),
        /exclude-ports/,
      ],
      [
        'a redirect to a sidecar that takes no calls',
        podOf({ ...IN, 'signet/redirect': 'true', 'signet/upstreams': 'none' }),
        /signet\/redirect without signet\/upstreams/,
      ],
      ['ports without a redirect', podOf({ 'signet/exclude-ports': '1' }), /says nothing without/],
      ['dry-run on a pod', podOf({ 'signet/policy-mode': 'dry-run' }), /signet\/policy-mode is not enforce/],
      ['an ID that is none', podOf({ 'signet/identity': 'https://example.org' }), /signet\/identity/],
      [
        'an annotation that there is not',
        podOf({ 'signet/redirct': 'true' }),
        /signet\/redirct is no annotation/,
      ],
    ];
    for (const [what, pod, why] of cases) it(what, () => assert.match(refused(pod), why));
    it('all of it at once', () =>
      assert.equal(refused(podOf({ 'signet/inbound': 'x', 'signet/identity': 'y' })).split('\n').length, 2));
  });

  it('takes upstreams as the sidecar does', () => {
    const text =
      'orders=10.0.0.7:8443,[fd00::1]:8443#spiffe://example.org/a,spiffe://example.org/b\n db@tcp:127.0.0.1:15432=db.shop:5432#spiffe://example.org/db services';
    const { pod } = injected(podOf({ 'signet/upstreams': text }));
    assert.equal(envOf(pod.spec.initContainers[0])['SIGNET_UPSTREAMS'], `${text.replace(/\s+/g, ' ')}:main`);
  });

  it('makes an environment that the sidecar takes', async () => {
    const { pem } = await createCa();
    const config = configOf({ vault: { address: 'https://vault:8200' }, environment: {} });
    const asks: Record<string, string>[] = [
      {},
      IN,
      {
        'signet/upstreams': 'orders=orders.shop:8443#spiffe://example.org/ns/shop/sa/orders',
        'signet/redirect': 'true',
      },
      { ...IN, 'signet/upstreams': 'db@tcp:127.0.0.1:15432=[fd00::1]:5432#spiffe://example.org/db' },
    ];
    for (const ask of asks) {
      const { pod } = injected(
        podOf(ask),
        worldOf({ config: { ...config, vault: { ...config.vault, ca: pem } } }),
      );
      const loaded = loadConfig(envOf(pod.spec.initContainers[0]), () => pem);
      assert.deepEqual(loaded.health, { host: '0.0.0.0', port: 15_021 });
      assert.deepEqual(
        loaded.inbound?.http?.app,
        'signet/inbound' in ask ? { host: '127.0.0.1', port: 8_080 } : undefined,
      );
      assert.equal(loaded.outbound?.transparent?.port, 'signet/redirect' in ask ? 15_006 : undefined);
    }
  });

  it('warns of what may surprise', () => {
    const spec = {
      shareProcessNamespace: true,
      containers: [{ name: 'app', ports: [{ containerPort: 9_090 }] }],
    };
    assert.deepEqual(injected(podOf(IN, spec)).warnings.length, 2);
  });

  for (const [capabilities, ...told] of [
    [{ drop: ['ALL'] }],
    [{ drop: ['setuid'] }],
    [{ drop: ['NET_RAW'] }, /SETUID/],
    [{ drop: ['ALL'], add: ['SETUID'] }, /SETUID/],
    [{ drop: ['ALL'], add: ['net_admin'] }, /take the redirect away/],
    [{ add: ['ALL'] }, /take the redirect away/, /SETUID/],
    [undefined, /SETUID/],
  ] as const)
    it(`warns of who could pass a redirect: ${JSON.stringify(capabilities)}`, () => {
      const spec = { containers: [{ name: 'app', securityContext: { capabilities } }] };
      const asked = { 'signet/redirect': 'true', 'signet/upstreams': 'services' };
      const { warnings } = injected(podOf(asked, spec));
      assert.equal(warnings.length, told.length, warnings.join());
      for (const [at, why] of told.entries()) assert.match(String(warnings[at]), why);
      assert.deepEqual(injected(podOf(IN, spec)).warnings, []);
    });
});

describe('a pod that has been injected', () => {
  const ask = {
    ...IN,
    'signet/redirect': 'true',
    'signet/proxy-env': 'true',
    'signet/upstreams': 'services',
  };
  const whole = () =>
    injected(podOf(ask, { initContainers: [{ name: 'migrate' }], volumes: [{ name: 'data', emptyDir: {} }] }))
      .pod;
  const again = (pod: AnyPod, world = worldOf()) => inject(readPod(pod), 'shop', world);

  it('comes back as it is', () => assert.equal(again(whole()).kind, 'whole'));
  it('may have what a cluster makes stricter', () => {
    const pod = whole();
    const [sidecar] = pod.spec.initContainers;
    sidecar.imagePullPolicy = 'Always';
    sidecar.resources = {
      requests: { cpu: '0.05', memory: '65536Ki' },
      limits: { memory: '131072Ki', cpu: '1' },
    };
    assert.equal(again(pod).kind, 'whole');
  });
  it('may keep authorities that are still good', () => {
    const world = worldOf({ brokerCa: 'newer', acceptsCa: (pem) => pem === CA });
    assert.equal(again(whole(), world).kind, 'whole');
  });

  const changes: [string, (pod: AnyPod) => void][] = [
    [
      'its image',
      (pod) => {
        pod.spec.initContainers[0].image = 'evil:1';
      },
    ],
    [
      'its order',
      (pod) => {
        pod.spec.initContainers.reverse();
      },
    ],
    [
      'a variable',
      (pod) => {
        pod.spec.initContainers[0].env[0].value = 'evil.example';
      },
    ],
    [
      'a variable more',
      (pod) => {
        pod.spec.initContainers[0].env.push({ name: 'NODE_OPTIONS', value: '--inspect' });
      },
    ],
    [
      'its command',
      (pod) => {
        pod.spec.initContainers[0].command = ['sh'];
      },
    ],
    [
      'its user',
      (pod) => {
        pod.spec.initContainers[0].securityContext.runAsUser = 0;
      },
    ],
    [
      'its limits',
      (pod) => {
        pod.spec.initContainers[0].resources.limits.memory = '1Gi';
      },
    ],
    [
      'a mount',
      (pod) => {
        pod.spec.initContainers[0].volumeMounts.pop();
      },
    ],
    [
      'its absence',
      (pod) => {
        pod.spec.initContainers.shift();
      },
    ],
    [
      'the redirect',
      (pod) => {
        pod.spec.initContainers[1].args.push('--exclude-cidr', '0.0.0.0/0');
      },
    ],
    [
      'its double',
      (pod) => {
        pod.spec.initContainers.push(pod.spec.initContainers[0]);
      },
    ],
    [
      'the audience',
      (pod) => {
        pod.spec.volumes[1].projected.sources[0].serviceAccountToken.audience = 'x';
      },
    ],
    [
      'a volume of a name like ours',
      (pod) => {
        pod.spec.volumes.push({ name: 'signet-x' });
      },
    ],
    [
      'the authorities',
      (pod) => {
        pod.metadata.annotations['signet/broker-ca'] = 'evil';
      },
    ],
    [
      'the status',
      (pod) => {
        pod.metadata.annotations['signet/status'] = '{}';
      },
    ],
    [
      'the label',
      (pod) => {
        pod.metadata.labels['signet/injected'] = 'no';
      },
    ],
  ];
  for (const [what, change] of changes) {
    it(`is put right: ${what}`, () => {
      const pod = whole();
      change(pod);
      const { pod: righted } = injected(pod);
      assert.deepEqual(
        righted.spec.initContainers.map(({ name }: { name: string }) => name),
        ['signet-sidecar', 'signet-redirect', 'migrate'],
      );
      const byName = (list: AnyPod[]) => Object.fromEntries(list.map((each) => [each.name, each]));
      assert.deepEqual(byName(righted.spec.initContainers), byName(whole().spec.initContainers));
      assert.deepEqual(byName(righted.spec.volumes), byName(whole().spec.volumes));
      assert.deepEqual(righted.metadata, whole().metadata);
      assert.equal(again(righted).kind, 'whole');
    });
  }
});
