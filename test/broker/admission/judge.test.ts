import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';

import { gives } from '../../../broker/admission/identity.ts';
import { inject } from '../../../broker/admission/inject.ts';
import { createIntake } from '../../../broker/admission/intake.ts';
import { judgeChange, judgeNew, unmet } from '../../../broker/admission/judge.ts';
import { createNamespaces } from '../../../broker/admission/namespaces.ts';
import { readPod } from '../../../broker/admission/pod.ts';
import { readReview, reviewOf } from '../../../broker/admission/review.ts';
import { parseEntry, selectors } from '../../../lib/attestation/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { applyPatch } from '../../support/json-patch.ts';
import { type AnyPod, podOf, worldOf } from './cases.ts';

const IN = { 'signet/inbound': '8080' };

function whole(annotations: Readonly<Record<string, string>> = IN, spec: object = {}): AnyPod {
  const pod = podOf(annotations, spec);
  const injection = inject(readPod(pod), 'shop', worldOf());
  assert.equal(injection.kind, 'patched');
  return injection.kind === 'patched' ? applyPatch(pod, injection.patch) : pod;
}

const judged = (pod: AnyPod) => judgeNew(readPod(pod), 'shop', worldOf());
const kindOf = (pod: AnyPod) => judged(pod).kind;

describe('the validating side', () => {
  it('lets in what the injector made, and what asks for nothing', () => {
    assert.equal(kindOf(whole()), 'fine');
    assert.equal(kindOf({ metadata: {}, spec: { containers: [] } }), 'fine');
  });
  it('asks the namespace before it lets in more', () => {
    const ask = {
      ...IN,
      'signet/redirect': 'true',
      'signet/upstreams': 'services',
      'signet/exclude-ports': '1',
      'signet/identity': 'spiffe://example.org/a',
    };
    const verdict = judged(whole(ask));
    assert.ok(verdict.kind === 'depends');
    assert.deepEqual(
      [verdict.needs, String(verdict.identity)],
      [['redirect', 'exclude-ports'], 'spiffe://example.org/a'],
    );
    const known = { namespace: 'shop', selectors: selectors({}), entries: [] };
    assert.equal(unmet(verdict, { ...known, allowed: [] }).length, 3);
    assert.equal(unmet(verdict, { ...known, allowed: ['redirect', 'exclude-ports'] }).length, 1);
  });
  it("asks it about a token that is not the injector's", () => {
    const volumes = [
      { name: 't', projected: { sources: [{ serviceAccountToken: { audience: 'signet', path: 't' } }] } },
    ];
    for (const pod of [whole(IN, { volumes }), podOf({ 'signet/inject': 'false' }, { volumes })]) {
      const verdict = judged(pod);
      assert.deepEqual(verdict.kind === 'depends' ? verdict.needs : verdict, ['token']);
    }
  });

  const forged: [string, AnyPod][] = [
    ['asks and was not injected', podOf(IN)],
    ['was changed after it was', { ...whole(), metadata: { ...whole().metadata, labels: {} } }],
    ['bears the label', { metadata: { labels: { 'signet/injected': 'true' } }, spec: {} }],
    ['bears the status', { metadata: { annotations: { 'signet/status': '{}' } }, spec: {} }],
    ['brings authorities', { metadata: { annotations: { 'signet/broker-ca': 'x' } }, spec: {} }],
    ['has our container', { metadata: {}, spec: { initContainers: [{ name: 'signet-sidecar' }] } }],
    ['has our volume', { metadata: {}, spec: { volumes: [{ name: 'signet-token' }] } }],
    ['has a container of a name like ours', { metadata: {}, spec: { containers: [{ name: 'signet-x' }] } }],
    [
      'says no, and is as if injected',
      {
        ...whole(),
        metadata: {
          ...whole().metadata,
          annotations: { ...whole().metadata.annotations, 'signet/inject': 'false' },
        },
      },
    ],
    ['has an annotation that is none', { metadata: { annotations: { 'signet/x': '1' } }, spec: {} }],
  ];
  for (const [what, pod] of forged)
    it(`refuses a pod that ${what}`, () => assert.equal(kindOf(pod), 'refused'));

  it('lets a pod change in what is not ours', () => {
    const change = (alter: (pod: AnyPod) => void) => {
      const pod = whole();
      alter(pod);
      return judgeChange(readPod(pod), readPod(whole()), 'shop', worldOf()).kind;
    };
    assert.equal(
      change(() => {}),
      'fine',
    );
    assert.equal(
      change((pod) => {
        pod.spec.containers[0].image = 'app:2';
      }),
      'fine',
    );
    assert.equal(
      change((pod) => {
        pod.spec.initContainers[0].image = 'evil';
      }),
      'refused',
    );
    assert.equal(
      change((pod) => {
        pod.metadata.annotations['signet/inbound'] = '9';
      }),
      'refused',
    );
    assert.equal(
      change((pod) => {
        delete pod.metadata.annotations['signet/status'];
      }),
      'refused',
    );
    assert.equal(
      change((pod) => {
        pod.metadata.labels['signet/injected'] = 'x';
      }),
      'refused',
    );
    assert.equal(
      change((pod) => {
        pod.spec.ephemeralContainers = [{ name: 'd', volumeMounts: [{ name: 'signet-token' }] }];
      }),
      'refused',
    );
  });
});

describe('whether an entry gives an ID', () => {
  const entry = (match: object, spiffe_id: string, more: object = {}) =>
    parseEntry(
      { tenant: 'acme', name: 'x', ttl: '15m', match, spiffe_id, ...more },
      { trustDomain: 'example.org' },
    );
  const found = selectors({ 'k8s:ns': 'shop', 'k8s:sa': 'orders', 'k8s:cluster': 'main' });
  const id = parseSpiffeId('spiffe://example.org/ns/shop/sa/orders');
  const template = 'spiffe://example.org/ns/{k8s:ns}/sa/{k8s:sa}';
  const cases: [string, ReturnType<typeof entry>, boolean][] = [
    ['by its template', entry({ 'k8s:ns': 'shop' }, template), true],
    ['of another namespace', entry({ 'k8s:ns': 'other' }, template), false],
    ['by what is known later', entry({ 'k8s:ns': 'shop', 'k8s:node': 'n1' }, template), true],
    ['by a label that the pod lacks', entry({ 'k8s:ns': 'shop', 'k8s:label:app': 'x' }, template), false],
    ['with another ID', entry({ 'k8s:ns': 'shop' }, 'spiffe://example.org/ns/shop/sa/web'), false],
    ['disabled', entry({ 'k8s:ns': 'shop' }, template, { state: 'disabled' }), false],
    ['of hosts', entry({ 'ssh-host:key': 'SHA256:x' }, id.toString()), false],
    [
      'by an ID of what is not known',
      entry({ 'k8s:ns': 'shop' }, 'spiffe://example.org/ns/{k8s:pod}/sa/orders'),
      false,
    ],
  ];
  for (const [what, one, wanted] of cases)
    it(`${what}: ${wanted}`, () => assert.equal(gives([one], found, id), wanted));
});

describe('what a namespace allows', () => {
  const api = (answer: () => Promise<unknown>) => {
    const asked: string[] = [];
    const get = async <T>(path: string) => {
      asked.push(path);
      return (await answer()) as T;
    };
    return { asked, get };
  };
  it('is asked once for many pods, and again after five seconds', async () => {
    let now = 0;
    const cluster = api(async () => ({ metadata: { annotations: { 'signet/allow': 'redirect, token' } } }));
    const namespaces = createNamespaces(cluster, () => now);
    assert.deepEqual(
      await Promise.all([namespaces.allowed('shop'), namespaces.allowed('shop')]),
      Array(2).fill(['redirect', 'token']),
    );
    assert.deepEqual(cluster.asked, ['/api/v1/namespaces/shop']);
    now = 5_001;
    await namespaces.allowed('shop');
    assert.equal(cluster.asked.length, 2);
  });
  it('is not guessed, and a failure is not kept', async () => {
    let fail = true;
    const cluster = api(async () => (fail ? Promise.reject(new Error('away')) : { metadata: {} }));
    const namespaces = createNamespaces(cluster, () => 0);
    await assert.rejects(namespaces.allowed('shop'), /away/);
    fail = false;
    assert.deepEqual(await namespaces.allowed('shop'), []);
  });
  it('is looked up at a bounded rate, whatever namespaces are made up', async () => {
    let now = 0;
    const cluster = api(async () => ({}));
    const namespaces = createNamespaces(cluster, () => now);
    for (let i = 0; i < 250; i++) await namespaces.allowed(`made-up-${i}`);
    await assert.rejects(namespaces.allowed('one-more'), { code: 'rate_limited' });
    await namespaces.allowed('made-up-0');
    assert.equal(cluster.asked.length, 250);
    for (let i = 0; i < 1_000; i++) {
      now += 21;
      await namespaces.allowed(`n${i}`);
    }
    assert.equal(cluster.asked.length, 1_250);
  });
  it('is still looked up for one source when another makes up too many', async () => {
    const cluster = api(async () => ({ metadata: { annotations: { 'signet/allow': 'token' } } }));
    const namespaces = createNamespaces(cluster, () => 0);
    for (let i = 0; i < 250; i++) await namespaces.allowed(`made-up-${i}`, '10.0.0.9');
    await assert.rejects(namespaces.allowed('one-more', '10.0.0.9'), { code: 'rate_limited' });
    assert.deepEqual(await namespaces.allowed('shop', '10.0.0.1'), ['token']);
  });
});

describe('what may be sent at a time', () => {
  const MIB = 1024 * 1024;
  it('is bounded for one source and for all, and given back once', () => {
    const intake = createIntake(100, () => 0);
    const from = (source: string) => intake.hold({ source }, 3 * MIB);
    const held = Array.from({ length: 5 }, () => from('a'));
    assert.throws(() => from('a'), /too many requests of this kind/);
    for (const source of ['b', 'c', 'd']) for (let i = 0; i < 5; i++) held.push(from(source));
    from('e');
    assert.throws(() => from('f'), /too many requests of this kind/);
    held[0]!();
    held[0]!();
    from('a');
    assert.throws(() => from('a'));
  });
  it('leaves room for an ordinary pod, whatever strangers announce', () => {
    const intake = createIntake(100, () => 0);
    const strangers = ['b', 'c', 'd', 'e'];
    for (const source of strangers) for (let i = 0; i < 5; i++) intake.hold({ source }, 3 * MIB);
    for (const source of strangers) intake.hold({ source }, MIB);
    assert.throws(() => intake.hold({ source: 'f' }, MIB), { code: 'overloaded' });
    intake.hold({ source: 'a' }, 64 * 1024)();
  });
  it('is bounded in time too: what is read has to be looked through', () => {
    let now = 0;
    const intake = createIntake(100, () => now);
    const send = () => intake.hold({ source: 'a' }, 3 * MIB)();
    for (let i = 0; i < 26; i++) send();
    assert.throws(send, { code: 'rate_limited' });
    intake.hold({ source: 'b' }, 3 * MIB)();
    now += 100;
    send();
    assert.throws(send, { code: 'rate_limited' });
  });
  it('may come ten times as often as anything else', () => {
    const { perSource } = createIntake(2, () => 0);
    for (let i = 0; i < 100; i++) perSource.take('a');
    assert.throws(() => perSource.take('a'), /too many requests/);
  });
});

describe('whatever an admission review holds', () => {
  const json = fc.jsonValue({ maxDepth: 6 }).map((value) => structuredClone(value) as AnyPod);
  /** A good pod in which one place holds something else. */
  const bent = fc.tuple(fc.nat(), json).map(([n, value]) => {
    const pod = whole({ ...IN, 'signet/proxy-env': 'true', 'signet/upstreams': 'services' });
    const places: [AnyPod, string][] = [];
    const walk = (at: AnyPod) => {
      if (typeof at !== 'object' || at === null) return;
      for (const key of Object.keys(at)) {
        places.push([at, key]);
        walk(at[key]);
      }
    };
    walk(pod);
    const [at, key] = places[n % places.length]!;
    at[key] = value;
    return pod;
  });

  it('is answered, and what comes of a patch is whole or refused', () => {
    fc.assert(
      fc.property(fc.oneof(json, bent), (pod) => {
        const injection = inject(readPod(pod), 'shop', worldOf());
        if (injection.kind === 'patched') {
          const after = applyPatch(pod, injection.patch);
          assert.equal(
            inject(readPod(after), 'shop', worldOf()).kind,
            'whole',
            JSON.stringify(injection.patch),
          );
        }
        judgeNew(readPod(pod), 'shop', worldOf());
        judgeChange(readPod(pod), readPod(whole()), 'shop', worldOf());
        const request = readReview({ request: pod });
        JSON.stringify(reviewOf(request, { allowed: false, code: 403, message: 'x' }));
      }),
      { numRuns: 1_000 },
    );
  });
  it('is let in by the validating side only as the injector makes it', () => {
    fc.assert(
      fc.property(bent, (pod) => {
        const verdict = judgeNew(readPod(pod), 'shop', worldOf());
        const injection = inject(readPod(pod), 'shop', worldOf());
        if (injection.kind === 'patched') assert.equal(verdict.kind, 'refused');
      }),
      { numRuns: 1_000 },
    );
  });
});
