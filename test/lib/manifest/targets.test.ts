import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import fc from 'fast-check';
import {
  type DeliveredDocument,
  DeliveryError,
  manifestText,
  type Sealed,
  sealedBytes,
  textHash,
  verifyDelivery,
} from '../../../lib/manifest/index.ts';
import { compilePolicies, parsePolicies } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { createCa, type TestCa, type TestCertificate } from '../../support/ca.ts';

const SERVICES = [
  ...['ns/shop/sa/orders', 'ns/shop/sa/stock', 'ns/shop/sa/orders/x', 'ns/other/sa/orders', 'ns'].map(
    (path) => `spiffe://example.org/${path}`,
  ),
  `spiffe://example.org/ns/${'a'.repeat(300)}`,
];
const TARGETS = [
  ...SERVICES,
  ...['**', '*', 'ns/**', 'ns/*', 'ns/shop/**', 'ns/shop/sa/*', 'ns/*/sa/orders', 'ns/*/sa/orders/**'].map(
    (path) => `spiffe://example.org/${path}`,
  ),
  'spiffe://example.com/**',
];

type Document = DeliveredDocument & { readonly level: string };

/** Documents are named by their place, as no service may have two of one name. */
function documentOf(target: string, i: number): Document {
  const level = target.includes('*') ? 'root' : 'application';
  const document = { name: `d${i}`, level, target, effect: 'deny', mode: 'enforce' };
  const text = JSON.stringify({ ...document, when: { path: { starts: '/' } } });
  return { name: document.name, level, target, text };
}

describe('whom a published document is for', () => {
  let ca: TestCa;
  let issuer: TestCa;
  let key: TestCertificate;
  before(async () => {
    ca = await createCa();
    issuer = await ca.intermediate();
    key = await issuer.leaf('spiffe://example.org/signet/policy', {
      extendedKeyUsage: ['1.3.6.1.5.5.7.3.3'],
    });
  });

  function signed(documents: readonly Document[]): Sealed {
    const text = manifestText({
      ...{ version: 1, previousVersion: 0, trustDomain: 'example.org' },
      ...{ publishedAt: new Date(), author: 'anna' },
      documents: documents.map(({ name, target, level, text }) => ({
        ...{ name, target, level },
        sha256: textHash(text),
      })),
    });
    const signer = { key: key.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    const signature = sign('sha256', sealedBytes('manifest', text), signer).toString('base64url');
    return { text, signature, chainDer: [key.der, issuer.der] };
  }
  function take(sealed: Sealed, delivered: readonly DeliveredDocument[], service: string) {
    const bundle = { trustDomain: 'example.org', sequence: 0, refreshHintSeconds: 0, authorities: [ca.der] };
    const claim = { bundle, now: new Date(), id: parseSpiffeId(service), after: 0 };
    return verifyDelivery(sealed, delivered, claim).documents.map(({ name }) => name);
  }
  const refused = (code: string, work: () => unknown) =>
    assert.throws(work, (error) => error instanceof DeliveryError && error.code === code);
  const isFor = ({ text }: Document, service: string) =>
    compilePolicies(parsePolicies([{ file: 'f', text }]), parseSpiffeId(service)).size === 1;

  it('is whom policy says it is for, and a broker that leaves one of them out or adds another is found out', () => {
    let withheld = 0;
    fc.assert(
      fc.property(fc.subarray(TARGETS), fc.constantFrom(...SERVICES), fc.nat(), (targets, service, pick) => {
        const all = targets.map(documentOf);
        const sealed = signed(all);
        const [own, others] = [
          all.filter((each) => isFor(each, service)),
          all.filter((each) => !isFor(each, service)),
        ];
        assert.deepEqual(
          take(sealed, own, service),
          own.map(({ name }) => name),
        );
        const gone = own[pick % own.length];
        if (gone !== undefined) {
          withheld++;
          refused('manifest_incomplete', () =>
            take(
              sealed,
              own.filter((each) => each !== gone),
              service,
            ),
          );
        }
        const stray = others[pick % others.length];
        if (stray !== undefined) refused('document_unlisted', () => take(sealed, [...own, stray], service));
      }),
      { numRuns: 300, seed: 6 },
    );
    assert.ok(withheld > 100, `${withheld}`);
  });

  it('a deny for every service cannot be withheld from one', () => {
    const all = ['spiffe://example.org/ns/shop/**', SERVICES[0]!].map(documentOf);
    refused('manifest_incomplete', () => take(signed(all), all.slice(1), SERVICES[0]!));
  });

  for (const target of [
    'spiffe://example.org/ns/sh*p',
    'spiffe://example.org/**/orders',
    'spiffe://example.org',
    '*',
  ])
    it(`is nobody's to say of ${target}: the whole manifest is refused`, () =>
      refused('manifest_malformed', () => take(signed([documentOf(target, 0)]), [], SERVICES[0]!)));
});
