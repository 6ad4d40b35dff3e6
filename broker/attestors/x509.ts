import { constants, createHash, type KeyObject, verify as verifySignature } from 'node:crypto';
import { type Entry, entryRef, selectors } from '../../lib/attestation/index.ts';
import type { Defect } from '../../lib/errors.ts';
import { SvidError } from '../../lib/svid/index.ts';
import type { Alarms } from '../alarms.ts';
import { type Certificate, followChain, hashName, MOST_CERTIFICATES, type Path } from '../devices/chain.ts';
import { type DeviceClaims, readClaims } from '../devices/claims.ts';
import type { DeviceAuthority, DeviceConfig } from '../devices/config.ts';
import type { Crls } from '../devices/crls.ts';
import { isOfOneDevice, pinKey } from '../devices/pin.ts';
import { refused } from '../devices/refused.ts';
import type { Instances } from '../instances.ts';
import type { Attestor } from './attestor.ts';

export type X509Deps = {
  readonly config: DeviceConfig;
  readonly crls: Crls;
  readonly instances: Instances;
  readonly alarms: Alarms;
};

const SELECTORS = ['ca', 'serial', 'fingerprint', 'cn', 'device-type', 'ver', 'ins'].map(
  (name) => `x509:${name}`,
);
const RULES = { signs: true, purpose: '1.3.6.1.5.5.7.3.2' };

/**
 * A device proves itself with the key that its manufacturer certified: the chain, and a signature over the proof. Its manufacturer is believed for
 * the entries of certain tenants only, and not beyond what its revocation lists say.
 */
export function x509({ config: { authorities }, crls, instances, alarms }: X509Deps): Attestor {
  return {
    method: 'x509',
    evidence: {
      type: 'object',
      properties: {
        chain: {
          type: 'array',
          minItems: 1,
          maxItems: MOST_CERTIFICATES,
          items: { type: 'string', maxLength: 16_384, pattern: '^[A-Za-z0-9+/]+={0,2}$' },
          description: "the device's certificate first, each DER in base64",
        },
        signature: {
          type: 'string',
          maxLength: 2_048,
          pattern: '^[A-Za-z0-9+/]+={0,2}$',
          description:
            'base64 signature of the proof message: ECDSA (DER) with the hash of the size of its curve, RSA-PSS with SHA-256 and a salt of 32 bytes, or Ed25519',
        },
      },
      required: ['chain', 'signature'],
      additionalProperties: false,
    },
    async verify(evidence, context) {
      const { chain, signature } = evidence as { chain: string[]; signature: string };
      const bytes = chain.map((each) => Buffer.from(each, 'base64'));
      const path = followChain(bytes, authorities, RULES, context.now);
      if (!isProven(path.leaf.key, context.proof, Buffer.from(signature, 'base64')))
        throw refused('DEVICE_PROOF', "the signature is not of this proof by the device's key");
      const { crls: places, tenants } = path.anchor.manufacturer;
      for (const { subject, issuer } of path.links)
        if (places !== null) await crls.check(places, issuer, subject, context.now);
      return {
        selectors: selectorsOf(path),
        async settle({ entry, id }) {
          if (!isOwner(tenants, entry))
            throw refused(
              'DEVICE_CA_FOREIGN',
              `the authority of the device is not one of tenant ${entry.tenant}`,
            );
          if (!isOfOneDevice(entry)) return { id: context.correlationId, generation: 0 };
          const key = createHash('sha256').update(path.leaf.info.spkiDer).digest('hex');
          const subject = `signet-x509-v1\n${entryRef(entry)}\n${id}`;
          return await pinKey({ instances, alarms }, { entry, id, method: 'x509', subject, key }, context);
        },
      };
    },
    entryDefects: (entry) => entryDefects(entry, authorities),
  };
}

function selectorsOf({ leaf, anchor }: Path<DeviceAuthority>) {
  const { cn, ...claims } = claimsOf(leaf, anchor);
  return selectors({
    'x509:ca': anchor.fingerprint,
    'x509:serial': leaf.info.serial.replaceAll(':', ''),
    'x509:fingerprint': hashName(leaf.der),
    'x509:cn': cn,
    'x509:device-type': claims['device-type'],
    'x509:ver': claims.ver,
    'x509:ins': claims.ins,
  });
}

function claimsOf({ info }: Certificate, { manufacturer }: DeviceAuthority): DeviceClaims {
  try {
    return readClaims(info, manufacturer);
  } catch (cause) {
    if (!(cause instanceof SvidError)) throw cause;
    throw refused('DEVICE_MALFORMED', 'the subject cannot be read', { cause });
  }
}

const HASHES: Readonly<Record<string, string>> = {
  prime256v1: 'sha256',
  secp384r1: 'sha384',
  secp521r1: 'sha512',
};

function isProven(key: KeyObject, proof: Uint8Array, signature: Uint8Array): boolean {
  try {
    switch (key.asymmetricKeyType) {
      case 'ec':
        return verifySignature(HASHES[key.asymmetricKeyDetails?.namedCurve ?? ''], proof, key, signature);
      case 'rsa':
        return verifySignature(
          'sha256',
          proof,
          { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
          signature,
        );
      case 'ed25519':
        return verifySignature(null, proof, key, signature);
      default:
        return false;
    }
  } catch {
    return false;
  }
}

function isOwner(tenants: readonly string[], { tenant }: Entry): boolean {
  return tenants.some((owner) => tenant === owner || tenant.startsWith(`${owner}/`));
}

/** Whoever may have certificates made by some authority could show the rest, so that authority is pinned, and is one of the entry's tenant. */
function entryDefects(entry: Entry, authorities: readonly DeviceAuthority[]): readonly Defect[] {
  const defects: Defect[] = Object.keys(entry.match)
    .filter((key) => !SELECTORS.includes(key))
    .map((key) => ({
      pointer: `/match/${key.replaceAll('/', '~1')}`,
      message: 'is not a selector of devices',
    }));
  const ca = entry.match['x509:ca'];
  const authority = authorities.find(({ fingerprint }) => fingerprint === ca);
  if (ca === undefined) {
    const message = 'pins no x509:ca: an authority of any tenant could certify the rest';
    return [...defects, { pointer: '/match', message }];
  }
  if (authority === undefined || !isOwner(authority.manufacturer.tenants, entry)) {
    const message = `is not an authority that SIGNET_DEVICE_CAS gives to tenant ${entry.tenant}`;
    return [...defects, { pointer: '/match/x509:ca', message }];
  }
  return defects;
}
