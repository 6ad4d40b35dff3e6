import assert from 'node:assert/strict';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TAKEN } from '../../broker/admission/config.ts';
import { SETTINGS as BROKER } from '../../broker/settings.ts';
import { renderManifests } from '../../setup/render-manifests.mjs';
import { SETTINGS as SIDECAR } from '../../sidecar/config/settings.ts';
import { type Chart, chart, EVERYTHING, LEAST, openChart, PEM, room, section } from './chart.ts';

const values = join(room, 'manifest-values.yaml');

describe('the chart', function () {
  this.timeout(60_000);
  let kit: Chart;
  before(async () => {
    kit = await openChart();
  });
  after(() => kit?.[Symbol.asyncDispose]());

  it('has nothing that helm lint minds', async () => {
    const { code, out } = await kit.helm('lint', '--strict', '--kube-version', '1.30.0', chart, '-f', values);
    assert.equal(code, 0, out);
    assert.doesNotMatch(out, /\[(WARNING|ERROR)\]/);
  });
  it('renders to the manifests that are kept beside it', async () => {
    assert.equal(
      await readFile(join(room, 'manifests/signet.yaml'), 'utf8'),
      renderManifests(),
      'run node setup/render-manifests.mjs',
    );
  });
  it('tells brokers how to inject, in JSON', async () => {
    const document = async (what: object) => {
      const [, text = ''] = /^ {2}injector\.json: \|\n((?: {4}.*\n)+)/m.exec(await kit.rendered(what)) ?? [];
      return JSON.parse(text);
    };
    const webhooks = { mutating: 'signet-injector', validating: 'signet-injector', service: 'signet-broker' };
    assert.deepEqual(await document(EVERYTHING), {
      cluster: 'east',
      namespace: 'signet',
      image: 'registry.example/sidecar:1',
      image_pull_policy: 'Always',
      resources: { requests: { cpu: '20m', memory: '48Mi' }, limits: { memory: '64Mi' } },
      broker_url: 'https://signet-broker.signet.svc',
      vault: {
        address: 'https://vault.example.com:8200',
        namespace: 'team/a',
        ca_file: '/etc/signet/vault-ca.pem',
      },
      upstreams: 'none',
      environment: { SIGNET_LOG_LEVEL: 'debug' },
      webhooks,
    });
    const { image, vault } = await document({ ...EVERYTHING, vault: LEAST.vault, injector: {} });
    assert.deepEqual([image, vault], [`registry.example/signet@sha256:${'a'.repeat(64)}`, {}]);
  });
  it('makes pods anew when what they read at their start has changed, and else not', async () => {
    const stamp = async (caCert: string) =>
      /checksum\/config: "(\w+)"/.exec(
        await kit.rendered({ ...EVERYTHING, vault: { ...EVERYTHING.vault, caCert } }),
      )?.[1];
    assert.equal(await stamp(PEM), await stamp(`${PEM}\n`));
    assert.notEqual(await stamp(PEM), await stamp(PEM.replace('MIIB', 'MIIC')));
  });

  describe('refuses by name', () => {
    const sound = { trustDomain: 'example.org', vault: { address: 'https://vault.example.org:8200' } };
    const cases: [what: string, change: object, says: RegExp][] = [
      ['a missing trust domain', { trustDomain: '' }, /trustDomain/],
      ['a trust domain in capitals', { trustDomain: 'Example.org' }, /trustDomain/],
      ['a missing address of Vault', { vault: {} }, /vault.*address/s],
      ['a Vault in the clear', { vault: { address: 'http://vault:8200' } }, /vault\/address/],
      ['a misspelt value', { replica: 2 }, /'replica'/],
      ['a misspelt value further in', { vault: { ...sound.vault, adress: 'x' } }, /vault.*'adress'/],
      ['replicas that are no number', { replicas: 'two' }, /replicas/],
      ['no replicas', { replicas: 0 }, /replicas/],
      ['an odd log level', { logLevel: 'loud' }, /logLevel/],
      ['a setting that is none of ours', { settings: { NODE_OPTIONS: '-r x' } }, /settings.*'NODE_OPTIONS'/],
      ['a setting that is no text', { settings: { SIGNET_RATE_SOURCE: 5 } }, /settings\/SIGNET_RATE_SOURCE/],
      ['a setting that a value stands for', { settings: { SIGNET_LISTEN: ':1' } }, /SIGNET_LISTEN/],
      ['a misspelt setting', { settings: { SIGNET_KUBERNETES_SORCE: 'pod' } }, /SIGNET_KUBERNETES_SORCE/],
      [
        'a misspelt setting of sidecars',
        { injector: { settings: { SIGNET_POLICI: 'x' } } },
        /'SIGNET_POLICI'/,
      ],
      [
        'a setting of sidecars that the injector makes',
        { injector: { settings: { SIGNET_ATTEST: 'x' } } },
        /propertyName 'SIGNET_ATTEST'/,
      ],
      ['a cluster in no form', { otherClusters: ['east'] }, /otherClusters/],
      ['a digest that is none', { image: { digest: 'latest' } }, /image\/digest/],
      ['an odd pull policy', { image: { pullPolicy: 'Sometimes' } }, /image\/pullPolicy/],
      [
        'sidecars of an odd size',
        { injector: { resources: { limits: { cpu: 1 } } } },
        /injector\/resources\/limits\/cpu/,
      ],
      ['a webhook that waits too long', { injector: { timeoutSeconds: 31 } }, /injector\/timeoutSeconds/],
      [
        'a token of under ten minutes',
        { vault: { ...sound.vault, kubernetes: { tokenSeconds: 60 } } },
        /vault\/kubernetes\/tokenSeconds/,
      ],
      [
        'a network that is none',
        { networkPolicy: { vaultCidrs: ['10.0.0.1'] } },
        /networkPolicy\/vaultCidrs/,
      ],
      [
        'an AppRole without its Secret',
        { vault: { ...sound.vault, approle: { roleId: 'r' } } },
        /vault\.approle\.secret is missing/,
      ],
    ];
    for (const [what, change, says] of cases) {
      it(what, async () => {
        assert.equal((await kit.template(sound)).code, 0);
        const { code, out } = await kit.template({ ...sound, ...change });
        assert.notEqual(code, 0, out);
        assert.match(out, says);
      });
    }
    it('a Kubernetes that is too old', async () => {
      const old = await kit.helm('template', chart, '-f', values, '--kube-version', '1.29.9');
      assert.notEqual(old.code, 0);
      assert.match(old.out, /kubeVersion/);
    });
  });

  describe('its values', () => {
    /** values.yaml as Helm reads it. */
    const defaults = async (): Promise<Record<string, unknown>> => {
      const teller = join(kit.dir, 'teller');
      await mkdir(join(teller, 'templates'), { recursive: true });
      await cp(join(chart, 'values.yaml'), join(teller, 'values.yaml'));
      await writeFile(join(teller, 'Chart.yaml'), 'apiVersion: v2\nname: teller\nversion: 0.0.0\n');
      await writeFile(join(teller, 'templates/values.yaml'), 'values: {{ toJson .Values | quote }}\n');
      const { out } = await kit.helm('template', teller);
      return JSON.parse(JSON.parse(/^values: (".*")$/m.exec(out)?.[1] ?? '""'));
    };
    it('are those that docs/kubernetes-install.md tells, with their defaults', async () => {
      const told = [
        ...(await section('The chart')).matchAll(/^\| `([\w.]+)` \| (?:`(.*?)`)? ?\| \S.* \|$/gm),
      ];
      const leaves = (value: unknown, at: string): [string, string][] =>
        typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
          ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, at === '' ? key : `${at}.${key}`))
          : [[at, value === '' ? '' : typeof value === 'string' ? value : JSON.stringify(value)]];
      assert.deepEqual(
        told.map(([, key, value]) => [key, value ?? '']).sort(),
        leaves(await defaults(), '').sort(),
      );
    });
    it('allow every setting that no other value, or the injector, makes', async () => {
      const { properties } = JSON.parse(await readFile(join(chart, 'values.schema.json'), 'utf8'));
      const deployment = await readFile(join(chart, 'templates/deployment.yaml'), 'utf8');
      const made = (name: string) => deployment.includes(`- name: ${name}\n`);
      const named = (settings: object) => Object.keys(settings).filter((name) => name.startsWith('SIGNET_'));
      assert.deepEqual(
        properties.settings.propertyNames.enum,
        named(BROKER)
          .filter((name) => !made(name))
          .sort(),
      );
      assert.deepEqual(
        properties.injector.properties.settings.propertyNames.enum,
        named(SIDECAR)
          .filter((name) => !TAKEN.includes(name))
          .sort(),
      );
    });
    it('are all in the schema, which knows no other', async () => {
      const schema = JSON.parse(await readFile(join(chart, 'values.schema.json'), 'utf8'));
      const check = (
        value: unknown,
        node: { properties?: object; additionalProperties?: unknown },
        at: string,
      ) => {
        if (node.properties === undefined || typeof value !== 'object' || value === null) return;
        assert.equal(node.additionalProperties, false, at);
        const names = Object.keys(node.properties).filter((name) => name !== 'global');
        assert.deepEqual(names.sort(), Object.keys(value).sort(), at);
        for (const [name, inner] of Object.entries(node.properties))
          check((value as Record<string, unknown>)[name], inner, `${at}.${name}`);
      };
      check(await defaults(), schema, 'values');
    });
  });
});
