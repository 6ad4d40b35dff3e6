import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseInjector } from '../../../broker/admission/config.ts';
import { type AdmissionDeps, createAdmission } from '../../../broker/admission/index.ts';
import type { Request } from '../../../broker/admission/review.ts';
import { loadConfig } from '../../../broker/config.ts';
import { KubernetesError } from '../../../lib/adapter/kubernetes/index.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { ConfigError } from '../../../lib/adapter/settings.ts';
import { VaultError } from '../../../lib/adapter/vault.ts';
import { InputError } from '../../../lib/errors.ts';
import { createCa } from '../../support/ca.ts';
import { silentLog } from '../../support/silent-log.ts';
import { configOf, podOf } from './cases.ts';

const REDIRECT = podOf({ 'signet/redirect': 'true', 'signet/upstreams': 'services' });

async function admissionOf(more: Partial<AdmissionDeps> = {}) {
  const root = await createCa();
  const current = {
    trustDomain: 'example.org',
    sequence: 1,
    refreshHintSeconds: 60,
    authorities: [root.der],
  };
  const bundles = { current, refresh: async () => current, onChange() {}, run: async () => {} };
  const api = {
    cluster: 'main',
    get: async () => ({ metadata: { annotations: { 'signet/allow': 'redirect' } } }),
  };
  return createAdmission({
    ...{ config: configOf(), trustDomain: 'example.org', annotations: [], bundles, log: silentLog },
    ...{ api: api as never, registrations: { current: async () => Promise.reject(new Error('not asked')) } },
    ...{ metrics: createMetrics(), monotonic: () => 0 },
    ...more,
  });
}

const request = (object: unknown, more: Partial<Request> = {}): Request => ({
  ...{ uid: 'u', operation: 'CREATE', namespace: 'shop', aboutPod: true, object, oldObject: null },
  ...more,
});

describe('an answer to a webhook', () => {
  it('is a patch where the namespace allows it', async () => {
    const answer = await (await admissionOf()).mutate(request(REDIRECT), 1_000);
    assert.ok(answer.allowed && (answer.patch?.length ?? 0) > 0);
  });
  it('is a refusal with 503 while the cluster cannot be asked, or does not answer in time', async () => {
    const gets: [string, () => Promise<never>][] = [
      ['K8S_UNAVAILABLE', () => Promise.reject(new KubernetesError('K8S_UNAVAILABLE', 'away'))],
      ['K8S_DENIED', () => Promise.reject(new KubernetesError('K8S_DENIED', 'no'))],
      ['ADMISSION_LATE', () => new Promise(() => {})],
    ];
    for (const [code, get] of gets) {
      const admission = await admissionOf({ api: { cluster: 'main', get } as never });
      const answer = await admission.mutate(request(REDIRECT), 50);
      assert.ok(
        !answer.allowed && answer.code === 503 && answer.message.includes(code),
        JSON.stringify(answer),
      );
      // who asks for nothing is not held up
      assert.deepEqual(await admission.mutate(request({ metadata: {} }), 50), { allowed: true });
    }
  });
  it('is the same while nobody knows the authorities, or what is registered', async () => {
    const away = new VaultError('VAULT_SEALED', 'sealed');
    const bundles = {
      current: undefined,
      refresh: async () => Promise.reject(away),
      onChange() {},
      run: async () => {},
    };
    const answer = await (await admissionOf({ bundles })).mutate(
      request(podOf({ 'signet/inbound': '8080' })),
      1_000,
    );
    assert.ok(!answer.allowed && answer.code === 503);
    const registrations = { current: async () => Promise.reject(away) };
    const asked = { metadata: { annotations: { 'signet/identity': 'spiffe://example.org/a' } }, spec: {} };
    const validated = await (await admissionOf({ registrations })).validate(request(asked), 1_000);
    assert.ok(!validated.allowed && validated.code === 503);
  });
  it('says in the log once in a while why it could not be, however often it is asked', async () => {
    const lines: string[] = [];
    const log = { ...silentLog, warn: (event: string) => void lines.push(event) };
    const get = () => Promise.reject(new KubernetesError('K8S_NOT_FOUND', 'made up'));
    let now = 0;
    const more = { log, monotonic: () => now, api: { cluster: 'main', get } as never };
    const admission = await admissionOf(more);
    for (let i = 0; i < 100; i++) await admission.mutate(request(REDIRECT), 1_000);
    assert.deepEqual(lines, ['admission_unanswered']);
    now += 10_001;
    await admission.mutate(request(REDIRECT), 1_000);
    assert.equal(lines.length, 2);
  });
  it('is a refusal, and no failure of the broker, for what is nested without end', async () => {
    const nested = (): unknown =>
      JSON.parse(
        `{"spec":{"initContainers":[{"name":"signet-sidecar","x":${'['.repeat(500_000)}${']'.repeat(500_000)}}]}}`,
      );
    const admission = await admissionOf();
    const more = { operation: 'UPDATE', oldObject: nested() };
    const answer = await admission.validate(request(nested(), more), 1_000);
    assert.ok(!answer.allowed && answer.code === 403);
  });
  it('lets other operations and other things go by', async () => {
    const admission = await admissionOf();
    for (const more of [{ operation: 'DELETE' }, { operation: 'UPDATE' }, { aboutPod: false }])
      assert.deepEqual(await admission.mutate(request(REDIRECT, more), 1_000), { allowed: true });
    assert.deepEqual(await admission.validate(request(null, { operation: 'DELETE' }), 1_000), {
      allowed: true,
    });
  });
});

describe("the injector's document", () => {
  const good = { cluster: 'main', image: 'signet:1', broker_url: 'https://b.svc' };
  const defects = (document: unknown, file = ''): string[] => {
    try {
      parseInjector(typeof document === 'string' ? document : JSON.stringify(document), () => file);
    } catch (error) {
      assert.ok(error instanceof InputError);
      return error.defects.map(({ pointer, message }) => `${pointer} ${message}`);
    }
    return [];
  };
  it('has defaults for what it does not say', () => {
    const { namespace, token_seconds, user, upstreams, webhooks } = parseInjector(
      JSON.stringify(good),
      () => '',
    );
    assert.deepEqual(
      { namespace, token_seconds, user, upstreams },
      { namespace: 'signet', token_seconds: 3600, user: 65_532, upstreams: 'none' },
    );
    assert.deepEqual(webhooks, {
      mutating: 'signet-injector',
      validating: 'signet-injector',
      service: 'signet-broker',
    });
  });
  const cases: [object | string, RegExp][] = [
    ['{', /^ is not JSON/],
    [{}, /^\/cluster is missing\n\/image is missing\n\/broker_url is missing/],
    [{ ...good, imagePullPolicy: 'Never' }, /^\/imagePullPolicy is not a field/],
    [{ ...good, image_pull_policy: 'Sometimes' }, /^\/image_pull_policy .*Always,IfNotPresent,Never/],
    [{ ...good, broker_url: 'http://b' }, /^\/broker_url /],
    [{ ...good, user: 0 }, /^\/user /],
    [{ ...good, token_seconds: 60 }, /^\/token_seconds /],
    [{ ...good, audience: 'vault' }, /^\/audience is not a field/],
    [{ ...good, image: 'x$(Y)' }, /^\/image /],
    [{ ...good, resources: { limits: { cpu: 'much' } } }, /^\/resources\/limits\/cpu is not a quantity/],
    [{ ...good, environment: { SIGNET_ATTEST: 'join:-' } }, /\/environment\/SIGNET_ATTEST/],
    [{ ...good, environment: { NODE_OPTIONS: '--inspect' } }, /\/environment\/NODE_OPTIONS/],
    [{ ...good, environment: { SIGNET_AUDIT: '$(X)' } }, /^\/environment\/SIGNET_AUDIT/],
    [{ ...good, upstreams: 'orders' }, /^\/upstreams /],
    [{ ...good, vault: { ca_file: '/none' } }, /^\/vault\/ca_file /],
  ];
  for (const [document, wanted] of cases)
    it(`refuses ${JSON.stringify(document)}`, () => assert.match(defects(document).join('\n'), wanted));
  it('is for a cluster whose API server the broker asks, and its defects are told by variable', () => {
    const environment = {
      ...{ SIGNET_TRUST_DOMAIN: 'example.org', VAULT_ADDR: 'https://v', SIGNET_VAULT_ROLE_ID: 'r' },
      ...{ SIGNET_VAULT_SECRET_ID_FILE: '/secret', SIGNET_KUBERNETES: 'main=kubeconfig:/k far=offline:/o' },
      SIGNET_INJECTOR: '/injector.json',
    };
    const load = (document: object) => () =>
      loadConfig(environment, (path) => (path === '/injector.json' ? JSON.stringify(document) : 'x'));
    assert.equal(load(good)().injector?.cluster, 'main');
    const told = (message: string) => (error: unknown) =>
      error instanceof ConfigError && error.defects.join() === `SIGNET_INJECTOR cannot be used: ${message}`;
    for (const cluster of ['far', 'none'])
      assert.throws(
        load({ ...good, cluster }),
        told('/cluster is not one of SIGNET_KUBERNETES with an API server'),
      );
    assert.throws(load({ ...good, image: undefined }), told('/image is missing'));
  });
  it('takes authorities, and no key', async () => {
    const { pem, privateKeyPem } = await createCa();
    const document = { ...good, vault: { ca_file: '/ca.pem' } };
    assert.deepEqual(defects(document, pem), []);
    assert.equal(defects(document, pem + privateKeyPem).length, 1);
  });
});
