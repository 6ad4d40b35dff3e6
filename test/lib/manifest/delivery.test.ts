import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { DeliveryError, parseManifest, verifyDelivery, verifyDenylist } from '../../../lib/manifest/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { type Author, createAuthor, type Signed, type TestDocument } from '../../support/author.ts';
import { CLIENT_AUTH, createCa, digitalSignature, keyCertSign, SERVER_AUTH } from '../../support/ca.ts';
import { seededRandom } from '../../support/der.ts';

const ORDERS = 'spiffe://example.org/ns/shop/sa/orders';
const STOCK = 'spiffe://example.org/ns/shop/sa/stock';
const id = parseSpiffeId(ORDERS);

const document = (name: string, target = ORDERS): TestDocument => ({ name, target, level: 'application' });
const DOCUMENTS = [document('a'), document('b'), document('c', STOCK)];

/** The same bytes to a lenient reader: only bits that base64url leaves unused differ. */
function respelled(signature: string): string {
  return signature.slice(0, -1) + String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1);
}

describe('a delivery of policies', () => {
  let author: Author;
  let good: Signed;
  before(async () => {
    author = await createAuthor();
    good = delivered(author.manifest(DOCUMENTS, { version: 7 }));
  });

  /** As an honest broker hands it to orders. */
  const delivered = (signed: Signed, target = ORDERS): Signed => ({
    ...signed,
    documents: signed.documents.filter((each) => each.target === target),
  });
  const take = (signed: Signed, after = 0, by: Author = author) => {
    const bundle = {
      trustDomain: 'example.org',
      sequence: 0,
      refreshHintSeconds: 0,
      authorities: [by.ca.der],
    };
    return verifyDelivery(signed, signed.documents, { bundle, now: new Date(), id, after });
  };
  const refused = (code: string, work: () => unknown) =>
    assert.throws(work, (error) => error instanceof DeliveryError && error.code === code);

  it('is taken, with the documents of this workload', () => {
    const { manifest, documents } = take(good);
    assert.deepEqual([manifest.version, manifest.author, manifest.documents.length], [7, 'anna', 3]);
    assert.deepEqual(
      documents.map(({ name, text }) => [name, JSON.parse(text)]),
      [
        ['a', document('a')],
        ['b', document('b')],
      ],
    );
  });

  it('is taken with the documents of a pattern that matches', () => {
    const all = author.manifest([document('a'), document('p', 'spiffe://example.org/ns/shop/**')]);
    assert.equal(take(all).documents.length, 2);
    refused('manifest_incomplete', () => take({ ...all, documents: all.documents.slice(0, 1) }));
    const others = author.manifest([document('p', 'spiffe://example.org/ns/other/*')]);
    assert.equal(take({ ...others, documents: [] }).documents.length, 0);
  });

  it('of nothing for this workload is taken too: it then may do nothing', () => {
    assert.equal(take({ ...author.manifest([document('c', STOCK)]), documents: [] }).documents.length, 0);
    assert.equal(take(author.manifest([])).documents.length, 0);
  });

  const text = (name: string) => ({ ...good.documents.find((each) => each.name === name)! });
  const changes: [what: string, code: string, change: () => Signed, after?: number][] = [
    ['a document dropped', 'manifest_incomplete', () => ({ ...good, documents: [text('a')] })],
    ['all documents dropped', 'manifest_incomplete', () => ({ ...good, documents: [] })],
    [
      'a document altered',
      'document_hash',
      () => ({ ...good, documents: [text('a'), { ...text('b'), text: `${text('b').text} ` }] }),
    ],
    [
      'a document put in the place of another',
      'document_hash',
      () => ({ ...good, documents: [text('a'), { ...text('b'), text: text('a').text }] }),
    ],
    [
      'a document added',
      'document_unlisted',
      () => ({ ...good, documents: [...good.documents, { name: 'z', target: ORDERS, text: '{}' }] }),
    ],
    [
      'a document added twice',
      'document_unlisted',
      () => ({ ...good, documents: [...good.documents, text('a')] }),
    ],
    [
      "another workload's document added",
      'document_unlisted',
      () => ({ ...good, documents: author.manifest(DOCUMENTS).documents }),
    ],
    ['a version that is in force', 'manifest_rollback', () => good, 7],
    ['an older version', 'manifest_rollback', () => good, 8],
    [
      'a manifest for another trust domain',
      'manifest_foreign',
      () => delivered(author.manifest(DOCUMENTS, { trustDomain: 'example.com' })),
    ],
    [
      'a deny-list that passes for a manifest',
      'manifest_signature',
      () => ({ ...good, ...author.sign('denylist', good.text) }),
    ],
    [
      'a version raised by one who cannot sign',
      'manifest_signature',
      () => ({ ...good, text: good.text.replace('"version":7', '"version":9') }),
    ],
    [
      'a document left out of the manifest',
      'manifest_signature',
      () => ({ ...good, text: author.manifest(DOCUMENTS.slice(1), { version: 7 }).text }),
    ],
    ['no signature', 'manifest_signature', () => ({ ...good, signature: '' })],
    ['a signature of zeros', 'manifest_signature', () => ({ ...good, signature: 'A'.repeat(86) })],
    [
      'the signature in another spelling of its last letter',
      'manifest_signature',
      () => ({ ...good, signature: respelled(good.signature) }),
    ],
    ['no chain', 'manifest_chain', () => ({ ...good, chainDer: [] })],
    [
      'a chain without its issuer',
      'manifest_chain',
      () => ({ ...good, chainDer: good.chainDer.slice(0, 1) }),
    ],
    ['a chain of the issuer alone', 'manifest_chain', () => ({ ...good, chainDer: good.chainDer.slice(1) })],
    [
      'a manifest that is signed and none',
      'manifest_malformed',
      () => ({ ...good, ...author.sign('manifest', good.text.replace('{', '{"more":1,')) }),
    ],
    [
      'a manifest in another form',
      'manifest_malformed',
      () => ({ ...good, ...author.sign('manifest', `${good.text} `) }),
    ],
    [
      'a manifest that says something twice',
      'manifest_malformed',
      () => ({ ...good, ...author.sign('manifest', good.text.replace('{', '{"version":99,')) }),
    ],
    [
      'a manifest that lists a document twice',
      'manifest_malformed',
      () => author.manifest([document('a'), document('a')]),
    ],
    [
      'a manifest whose version does not rise',
      'manifest_malformed',
      () => author.manifest(DOCUMENTS, { version: 7, previousVersion: 7 }),
    ],
  ];
  for (const [what, code, change, after] of changes) {
    it(`is refused as ${code}: ${what}`, () => refused(code, () => take(change(), after)));
  }

  const impostors: [what: string, options: Parameters<typeof createAuthor>[0] | (() => Promise<object>)][] = [
    ['a key of another CA', {}],
    ['a workload', async () => ({ ca: author.ca, id: 'spiffe://example.org/ns/shop/sa/web' })],
    [
      "a workload's certificate",
      async () => ({ ca: author.ca, certificate: { extendedKeyUsage: [SERVER_AUTH, CLIENT_AUTH] } }),
    ],
    ["the broker's ID", async () => ({ ca: author.ca, id: 'spiffe://example.org/signet/broker' })],
    [
      'a certificate for TLS as well',
      async () => ({ ca: author.ca, certificate: { extendedKeyUsage: ['1.3.6.1.5.5.7.3.3', CLIENT_AUTH] } }),
    ],
    [
      'a certificate without an extended use',
      async () => ({ ca: author.ca, certificate: { extendedKeyUsage: null } }),
    ],
    ['a certificate without a use', async () => ({ ca: author.ca, certificate: { keyUsage: null } })],
    [
      'a certificate that may sign certificates',
      async () => ({ ca: author.ca, certificate: { keyUsage: digitalSignature | keyCertSign } }),
    ],
    ['a CA', async () => ({ ca: author.ca, certificate: { ca: true } })],
    [
      'an expired certificate',
      async () => ({ ca: author.ca, certificate: { notAfter: new Date(Date.now() - 1000) } }),
    ],
    [
      'a certificate of tomorrow',
      async () => ({ ca: author.ca, certificate: { notBefore: new Date(Date.now() + 3_600_000) } }),
    ],
    [
      'a second name',
      async () => ({
        ca: author.ca,
        certificate: {
          sans: [
            { type: 'url', value: 'spiffe://example.org/signet/policy' },
            { type: 'dns', value: 'example.org' },
          ],
        },
      }),
    ],
    ['the policy key of another trust domain', async () => ({ ca: author.ca, trustDomain: 'example.com' })],
    [
      'the policy key of another trust domain and its CA',
      async () => ({ ca: await createCa('example.com') }),
    ],
  ];
  for (const [what, options] of impostors) {
    it(`is refused as manifest_chain: signed by ${what}`, async () => {
      const other = await createAuthor(typeof options === 'function' ? await options() : options);
      refused('manifest_chain', () => take(delivered(other.manifest(DOCUMENTS))));
    });
  }

  it('3,000 damaged ones are each refused', () => {
    const random = seededRandom(5);
    const damaged = (text: string) => {
      const at = Math.floor(random() * text.length);
      const char = String.fromCharCode(32 + Math.floor(random() * 95));
      return text.slice(0, at) + char + text.slice(at + Math.floor(random() * 3));
    };
    let refusals = 0;
    for (let i = 0; i < 3_000; i++) {
      const part = Math.floor(random() * 4);
      const documents = good.documents.map((each, n) =>
        part === 3 && n === i % 2 ? { ...each, text: damaged(each.text) } : each,
      );
      const signed: Signed = {
        text: part === 0 ? damaged(good.text) : good.text,
        signature: part === 1 ? damaged(good.signature) : good.signature,
        chainDer:
          part === 2
            ? good.chainDer.map((der) => {
                const copy = Buffer.from(der);
                copy[Math.floor(random() * copy.length)]! ^= 1 << Math.floor(random() * 8);
                return copy;
              })
            : good.chainDer,
        documents,
      };
      const same =
        signed.text === good.text &&
        signed.signature === good.signature &&
        documents.every((each, n) => each.text === good.documents[n]!.text) &&
        part !== 2;
      if (same) continue;
      assert.throws(() => take(signed), DeliveryError);
      refusals++;
    }
    assert.ok(refusals > 2_900, `${refusals}`);
  });

  it('20,000 texts at random are a manifest in its one form, or refused', () => {
    const random = seededRandom(11);
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '0',
      '-1',
      '1e99',
      'null',
      '"name"',
      '\\u0000',
      '__proto__',
    ];
    let read = 0;
    for (let i = 0; i < 20_000; i++) {
      let text = good.text;
      for (let edits = 1 + Math.floor(random() * 2); edits > 0; edits--) {
        const at = Math.floor(random() * text.length);
        const piece = pieces[Math.floor(random() * pieces.length)]!;
        text = text.slice(0, at) + piece + text.slice(at + Math.floor(random() * 4));
      }
      try {
        const manifest = parseManifest(text);
        assert.equal(JSON.stringify(JSON.parse(text)), text);
        assert.ok(manifest.version > manifest.previousVersion);
        read++;
      } catch (error) {
        assert.ok(error instanceof DeliveryError, `${error}`);
      }
    }
    assert.ok(read > 50, `${read} were read`);
  });
});

describe('a deny-list that is delivered', () => {
  let author: Author;
  before(async () => {
    author = await createAuthor();
  });
  const take = (sealed: ReturnType<Author['sign']>, after = 0) => {
    const bundle = {
      trustDomain: 'example.org',
      sequence: 0,
      refreshHintSeconds: 0,
      authorities: [author.ca.der],
    };
    return verifyDenylist(sealed, { bundle, now: new Date() }, after);
  };

  it('is taken', () => {
    const { ids, serials, version } = take(author.denylist([ORDERS], ['3a:0f'], 3), 2);
    assert.deepEqual([version, ids, serials], [3, [ORDERS], ['3a:0f']]);
  });
  for (const [what, code, change, after] of [
    ['an older one', 'denylist_rollback', () => author.denylist([], [], 3), 3],
    [
      'one shortened',
      'denylist_signature',
      () => ({ ...author.denylist([ORDERS], []), text: author.denylist([], []).text }),
      0,
    ],
    ['a manifest', 'denylist_signature', () => author.manifest([]), 0],
    [
      "one with Signet's own ID",
      'denylist_malformed',
      () => author.denylist(['spiffe://example.org/signet/broker'], []),
      0,
    ],
    ['one with what is no ID', 'denylist_malformed', () => author.denylist(['*'], []), 0],
    ['one with a serial in another spelling', 'denylist_malformed', () => author.denylist([], ['3A0F']), 0],
  ] as [string, string, () => ReturnType<Author['sign']>, number][]) {
    it(`is refused as ${code}: ${what}`, () =>
      assert.throws(
        () => take(change(), after),
        (error) => error instanceof DeliveryError && error.code === code,
      ));
  }
});
