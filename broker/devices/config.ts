import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { parseTenant } from '../../lib/attestation/index.ts';
import { type Defect, InputError } from '../../lib/errors.ts';
import { pemToDer, SvidError } from '../../lib/svid/index.ts';
import { AttestationError } from '../attestors/attestor.ts';
import { type Anchor, readAnchor } from './chain.ts';
import { ATTRIBUTES } from './subject.ts';

export const CLAIMS = ['device-type', 'ver', 'ins'] as const;
export type Claim = (typeof CLAIMS)[number];

/** The authorities of one manufacturer, and whose devices theirs are. */
export type Manufacturer = {
  /** Entries of these tenants, and of those below them, may be for its devices. */
  readonly tenants: readonly string[];
  /** Where its revocation lists are, files and URLs; null: its certificates are not revoked. */
  readonly crls: readonly string[] | null;
  /** The attribute of the subject that a claim is taken from; without it, the URI among the subject's other names. */
  readonly claims: Readonly<Partial<Record<Claim, string>>>;
};

export type DeviceAuthority = Anchor & { readonly manufacturer: Manufacturer };

export type DeviceConfig = {
  readonly authorities: readonly DeviceAuthority[];
  /** How often a list is fetched from its URL. */
  readonly refreshMs: number;
};

const attribute = { enum: Object.values(ATTRIBUTES) };
const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['manufacturers'],
  properties: {
    manufacturers: {
      type: 'array',
      minItems: 1,
      maxItems: 64,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['tenants', 'certificates'],
        properties: {
          tenants: { type: 'array', minItems: 1, maxItems: 256, items: { type: 'string', maxLength: 255 } },
          certificates: { type: 'string', pattern: '^/' },
          crls: {
            type: 'array',
            minItems: 1,
            maxItems: 16,
            items: { type: 'string', maxLength: 2048, pattern: '^(/|https?://[^@#\\s]+$)' },
          },
          revocation: { const: 'none' },
          claims: {
            type: 'object',
            additionalProperties: false,
            properties: Object.fromEntries(CLAIMS.map((claim) => [claim, attribute])),
            default: {},
          },
        },
        // that nothing is ever revoked has to be said
        oneOf: [{ required: ['crls'] }, { required: ['revocation'] }],
      },
    },
    crl_refresh_seconds: { type: 'integer', minimum: 1, maximum: 86_400, default: 600 },
  },
} as const;

type Document = {
  readonly manufacturers: readonly {
    readonly tenants: readonly string[];
    readonly certificates: string;
    readonly crls?: readonly string[];
    readonly claims: Manufacturer['claims'];
  }[];
  readonly crl_refresh_seconds: number;
};

/**
 * Reads the document that `SIGNET_DEVICE_CAS` names, and the files of authorities that it names.
 * @throws InputError with every defect, each by its JSON pointer
 */
export function parseDeviceConfig(text: string, readFile: (path: string) => string): DeviceConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError('device CAs', [{ pointer: '', message: 'is not JSON' }]);
  }
  const validate = new Ajv2020({ allErrors: true, useDefaults: true, strict: false }).compile(SCHEMA);
  if (!validate(value))
    throw new InputError('device CAs', (validate.errors ?? []).slice(0, 20).map(defectOf));
  const { manufacturers, crl_refresh_seconds } = value as Document;
  const defects: Defect[] = [];
  const authorities = new Map<string, DeviceAuthority>();
  for (const [i, { tenants, certificates, crls = null, claims }] of manufacturers.entries()) {
    const flaw = (pointer: string, message: string) =>
      void defects.push({ pointer: `/manufacturers/${i}${pointer}`, message });
    for (const [j, tenant] of tenants.entries())
      if (parseTenant(tenant) === undefined) flaw(`/tenants/${j}`, 'is not a tenant');
    const anchors = readAuthorities(certificates, readFile);
    if (typeof anchors === 'string') flaw('/certificates', anchors);
    else
      for (const anchor of anchors) {
        if (authorities.has(anchor.fingerprint))
          flaw('/certificates', 'names an authority that is named before');
        authorities.set(anchor.fingerprint, { ...anchor, manufacturer: { tenants, crls, claims } });
      }
  }
  if (defects.length > 0) throw new InputError('device CAs', defects);
  return { authorities: [...authorities.values()], refreshMs: crl_refresh_seconds * 1_000 };
}

const MOST_AUTHORITIES = 64;

/** The authorities in a PEM file, or why there are none: it reads on from what names the file. */
export function readAuthorities(
  path: string,
  readFile: (path: string) => string,
): readonly Anchor[] | string {
  try {
    const anchors = pemToDer(readFile(path)).map(readAnchor);
    if (anchors.some(({ info }) => !info.isCa)) return 'names a file with a certificate that is no authority';
    return anchors.length > MOST_AUTHORITIES
      ? `names a file of over ${MOST_AUTHORITIES} authorities`
      : anchors;
  } catch (error) {
    if (error instanceof SvidError || error instanceof AttestationError)
      return `names a file that is not of certificates: ${error.message}`;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return `names a file that ${missing ? 'does not exist' : 'cannot be read'}`;
  }
}

function defectOf({ instancePath, keyword, message, params }: ErrorObject): Defect {
  if (keyword === 'oneOf')
    return { pointer: instancePath, message: 'has neither crls nor "revocation": "none", or both' };
  const name =
    keyword === 'additionalProperties' ? `/${String(params['additionalProperty']).slice(0, 80)}` : '';
  return { pointer: `${instancePath}${name}`, message: message ?? 'does not fit' };
}
