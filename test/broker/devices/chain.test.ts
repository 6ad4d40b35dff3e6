import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { before, describe, it } from 'mocha';
import { AttestationError } from '../../../broker/attestors/index.ts';
import { followChain, type LeafRules, readAnchor } from '../../../broker/devices/chain.ts';
import {
  type CertificateOptions,
  digitalSignature,
  keyCertSign,
  keyEncipherment,
  p256Keys,
  type TestCa,
} from '../../support/ca.ts';
import { seededRandom } from '../../support/der.ts';
import { certifyDevice, createDeviceCa } from '../../support/device-ca.ts';

const CLIENT = '1.3.6.1.5.5.7.3.2';
const SERVER = '1.3.6.1.5.5.7.3.1';
const RULES: LeafRules = { signs: true, purpose: CLIENT };
const HOUR = 3_600_000;
const past = { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) };
const future = { notBefore: new Date(Date.now() + HOUR), notAfter: new Date(Date.now() + 2 * HOUR) };
const nameConstraints = { oid: '2.5.29.30', critical: false, value: Buffer.from('3000', 'hex') };
const policy = { oid: '2.5.29.36', critical: true, value: Buffer.from('3003800100', 'hex') };

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof AttestationError) return error.code;
    throw error;
  }
  return 'followed';
}

describe("the chain of a device's certificate", () => {
  let root: TestCa;
  let stranger: TestCa;
  before(async () => {
    root = await createDeviceCa('acme');
    stranger = await createDeviceCa('stranger');
  });
  const follow = (chain: readonly Uint8Array[], rules = RULES, anchors = [root]) =>
    followChain(
      chain,
      anchors.map(({ der }) => readAnchor(der)),
      rules,
      new Date(),
    );

  type Case = {
    readonly root?: CertificateOptions;
    readonly middle?: CertificateOptions | null;
    readonly leaf?: CertificateOptions;
  };
  const made = async ({ root: rootOptions, middle = {}, leaf = {} }: Case) => {
    const top = rootOptions === undefined ? root : await createDeviceCa('acme', rootOptions);
    const issuing =
      middle === null ? null : await top.intermediate({ subject: 'CN=acme issuing', sans: null, ...middle });
    const device = await certifyDevice(issuing ?? top, 'cam-1', leaf);
    return { top, chain: [device.der, ...(issuing === null ? [] : [issuing.der])] };
  };
  const rsa = (modulusLength: number) =>
    webcrypto.subtle.generateKey(
      {
        name: 'RSASSA-PKCS1-v1_5',
        hash: 'SHA-256',
        modulusLength,
        publicExponent: new Uint8Array([1, 0, 1]),
      },
      true,
      ['sign', 'verify'],
    );

  const cases: readonly [string, () => Promise<Case> | Case, string][] = [
    ['is followed to the root through an intermediate', () => ({}), 'followed'],
    ['is followed to the root itself', () => ({ middle: null }), 'followed'],
    [
      'is followed where the purpose is that of a client',
      () => ({ leaf: { extendedKeyUsage: [CLIENT] } }),
      'followed',
    ],
    [
      'is followed where the issuer is for clients',
      () => ({ middle: { extendedKeyUsage: [CLIENT] } }),
      'followed',
    ],
    ['is followed as long as the root allows', () => ({ root: { pathLength: 1 } }), 'followed'],
    ['may have an RSA key of 2048', async () => ({ leaf: { keys: await rsa(2048) } }), 'followed'],
    ['has expired', () => ({ leaf: past }), 'DEVICE_EXPIRED'],
    ['is not valid yet', () => ({ leaf: future }), 'DEVICE_EARLY'],
    ['has an issuer that has expired', () => ({ middle: past }), 'DEVICE_EXPIRED'],
    ['has an issuer that is not valid yet', () => ({ middle: future }), 'DEVICE_EARLY'],
    ['has a root that has expired', () => ({ root: past }), 'DEVICE_EXPIRED'],
    ['is longer than the root allows', () => ({ root: { pathLength: 0 } }), 'DEVICE_PATH_LENGTH'],
    ['has an issuer that is no CA', () => ({ middle: { ca: false } }), 'DEVICE_ISSUER_NO_CA'],
    [
      'has an issuer without basic constraints',
      () => ({ middle: { basicConstraints: null } }),
      'DEVICE_ISSUER_NO_CA',
    ],
    [
      'has an issuer that may not sign certificates',
      () => ({ middle: { keyUsage: digitalSignature } }),
      'DEVICE_ISSUER_USAGE',
    ],
    ['has an issuer without key usage', () => ({ middle: { keyUsage: null } }), 'DEVICE_ISSUER_USAGE'],
    ['has an issuer for servers only', () => ({ middle: { extendedKeyUsage: [SERVER] } }), 'DEVICE_PURPOSE'],
    [
      'has an issuer with name constraints',
      () => ({ middle: { extra: [nameConstraints] } }),
      'DEVICE_CRITICAL',
    ],
    ['is a CA', () => ({ leaf: { ca: true } }), 'DEVICE_IS_CA'],
    ['may sign certificates', () => ({ leaf: { keyUsage: digitalSignature | keyCertSign } }), 'DEVICE_IS_CA'],
    ['has no key usage', () => ({ leaf: { keyUsage: null } }), 'DEVICE_KEY_USAGE'],
    [
      'has a key usage without signatures',
      () => ({ leaf: { keyUsage: keyEncipherment } }),
      'DEVICE_KEY_USAGE',
    ],
    ['is for servers only', () => ({ leaf: { extendedKeyUsage: [SERVER] } }), 'DEVICE_PURPOSE'],
    ['has a critical extension that nobody knows', () => ({ leaf: { extra: [policy] } }), 'DEVICE_CRITICAL'],
    ['is signed with SHA-1', () => ({ leaf: { hash: 'SHA-1' } }), 'DEVICE_ALGORITHM'],
    ['is signed by another key', async () => ({ leaf: { forgedBy: await p256Keys() } }), 'DEVICE_SIGNATURE'],
    [
      'has an issuer signed by another key',
      async () => ({ middle: { forgedBy: await p256Keys() } }),
      'DEVICE_SIGNATURE',
    ],
    ['has a weak RSA key', async () => ({ leaf: { keys: await rsa(1024) } }), 'DEVICE_KEY_WEAK'],
  ];
  for (const [what, options, code] of cases) {
    it(`${what}: ${code}`, async () => {
      const { top, chain } = await made(await options());
      assert.equal(
        codeOf(() => follow(chain, RULES, [top])),
        code,
      );
    });
  }

  it('leads to an authority that nobody named: DEVICE_CA_UNKNOWN', async () => {
    const { chain } = await made({});
    const withRoot = [...chain, root.der];
    assert.equal(
      codeOf(() => follow(chain, RULES, [stranger])),
      'DEVICE_CA_UNKNOWN',
    );
    // the root that a stranger brings along makes no difference
    assert.equal(
      codeOf(() => follow(withRoot, RULES, [stranger])),
      'DEVICE_CA_UNKNOWN',
    );
    assert.equal(
      codeOf(() => follow(withRoot)),
      'followed',
    );
    assert.equal(
      codeOf(() => follow(chain, RULES, [])),
      'DEVICE_CA_UNKNOWN',
    );
  });
  it('has a certificate that is not by the next: DEVICE_CHAIN_BROKEN', async () => {
    const { chain } = await made({});
    assert.equal(
      codeOf(() => follow([chain[0]!, stranger.der, chain[1]!])),
      'DEVICE_CHAIN_BROKEN',
    );
  });
  it('lacks the certificate between: DEVICE_CA_UNKNOWN', async () => {
    const { chain } = await made({});
    assert.equal(
      codeOf(() => follow(chain.slice(0, 1))),
      'DEVICE_CA_UNKNOWN',
    );
  });
  it('may lead to an intermediate that is named itself', async () => {
    const issuing = await root.intermediate({ subject: 'CN=acme issuing', sans: null });
    const device = await certifyDevice(issuing, 'cam-1');
    assert.equal(
      codeOf(() => follow([device.der], RULES, [issuing])),
      'followed',
    );
    const { anchor } = follow([device.der, issuing.der], RULES, [root, issuing]);
    assert.equal(anchor.fingerprint, readAnchor(issuing.der).fingerprint, 'the nearest');
  });
  it('is by that of two authorities of one name whose signature it is', async () => {
    const renewed = await createDeviceCa('acme');
    const device = await certifyDevice(renewed, 'cam-1');
    const { anchor } = follow([device.der], RULES, [root, renewed]);
    assert.equal(anchor.fingerprint, readAnchor(renewed.der).fingerprint);
  });
  it('is empty, or longer than any: DEVICE_MALFORMED', async () => {
    const { chain } = await made({});
    assert.equal(
      codeOf(() => follow([])),
      'DEVICE_MALFORMED',
    );
    assert.equal(
      codeOf(() => follow(Array(7).fill(chain[0]!))),
      'DEVICE_MALFORMED',
    );
  });
  it('never does anything but be followed or refused, whatever its bytes are', async () => {
    const { chain } = await made({});
    const random = seededRandom(7);
    const seen = new Set<string>();
    for (let i = 0; i < 4_000; i++) {
      const mutated = chain.map((der) => mutate(der, random));
      const code = codeOf(() => follow(mutated));
      seen.add(code);
      if (code === 'followed') assert.deepEqual(mutated.map(hex), chain.map(hex), 'only the chain itself');
    }
    assert.ok(seen.size >= 4, [...seen].join());
  });
});

const hex = (der: Uint8Array) => Buffer.from(der).toString('hex');

/** Flips, cuts, doubles; now and then nothing. */
function mutate(der: Uint8Array, random: () => number): Uint8Array {
  const bytes = Buffer.from(der);
  const at = Math.floor(random() * bytes.length);
  switch (Math.floor(random() * 5)) {
    case 0:
      return bytes;
    case 1:
      bytes[at] = Math.floor(random() * 256);
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at - 4)]);
    default:
      bytes[at]! ^= 1 << Math.floor(random() * 8);
      return bytes;
  }
}
