import { X509Certificate } from 'node:crypto';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { type Defect, InputError } from '../../lib/errors.ts';
import { upstreamsOf } from './annotations.ts';
import { quantityOf } from './quantity.ts';
import { escaped } from './values.ts';

/** How pods are injected: the document that `SIGNET_INJECTOR` names. */
export type InjectorConfig = {
  /** The cluster of `SIGNET_KUBERNETES` that this broker lives in. */
  readonly cluster: string;
  /** The broker's own namespace, whose pods are never touched. */
  readonly namespace: string;
  readonly image: string;
  readonly image_pull_policy: 'Always' | 'IfNotPresent' | 'Never';
  readonly resources: Resources;
  /** The broker as pods reach it. */
  readonly broker_url: string;
  readonly vault: {
    /** Undefined: where the broker says. */
    readonly address?: string;
    readonly namespace?: string;
    /** PEM; undefined: the public authorities. */
    readonly ca?: string;
  };
  readonly token_seconds: number;
  /** The user that the sidecar runs as. */
  readonly user: number;
  /** What a pod may call that says nothing of it; `none`: nothing. */
  readonly upstreams: string;
  /** More variables of the sidecar. */
  readonly environment: Readonly<Record<string, string>>;
  /** The configurations whose `caBundle` is kept current. */
  readonly webhooks: { readonly mutating: string; readonly validating: string; readonly service: string };
};

export type Resources = {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
};

/** Those that the injector sets itself. */
export const TAKEN = [
  ...['TRUST_DOMAIN', 'BROKER_URL', 'BROKER_CA', 'ATTEST', 'MODE', 'INBOUND', 'OUTBOUND', 'UPSTREAMS'],
  ...['TRANSPARENT', 'HEALTH', 'ADMIN', 'WORKERS'],
].map((name) => `SIGNET_${name}`);

const name = { type: 'string', pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' };
const objectName = { type: 'string', maxLength: 253, pattern: '^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$' };
const origin = (schemes: string) => ({
  type: 'string',
  pattern: `^${schemes}://[^/?#@$\\s]+$`,
  maxLength: 512,
});
const amounts = {
  type: 'object',
  additionalProperties: { type: 'string', maxLength: 32 },
  maxProperties: 16,
};

const INJECTOR_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['cluster', 'image', 'broker_url'],
  properties: {
    cluster: name,
    namespace: { ...name, default: 'signet' },
    image: { type: 'string', pattern: '^[^\\s$]{1,512}$' },
    image_pull_policy: { enum: ['Always', 'IfNotPresent', 'Never'], default: 'IfNotPresent' },
    resources: {
      type: 'object',
      additionalProperties: false,
      properties: { requests: amounts, limits: amounts },
      default: {},
    },
    broker_url: origin('https'),
    vault: {
      type: 'object',
      additionalProperties: false,
      properties: {
        address: origin('https'),
        namespace: { type: 'string', pattern: '^[A-Za-z0-9._/-]{1,255}$' },
        ca_file: { type: 'string', pattern: '^/' },
      },
      default: {},
    },
    token_seconds: { type: 'integer', minimum: 600, maximum: 86_400, default: 3_600 },
    user: { type: 'integer', minimum: 1, maximum: 4_294_967_294, default: 65_532 },
    upstreams: { type: 'string', maxLength: 16_384, default: 'none' },
    environment: {
      type: 'object',
      propertyNames: { pattern: '^SIGNET_[A-Z_]{1,60}$', not: { enum: TAKEN } },
      additionalProperties: { type: 'string', maxLength: 4_096, pattern: '^[^$]+$' },
      maxProperties: 64,
      default: {},
    },
    webhooks: {
      type: 'object',
      additionalProperties: false,
      properties: {
        mutating: { ...objectName, default: 'signet-injector' },
        validating: { ...objectName, default: 'signet-injector' },
        service: { ...name, default: 'signet-broker' },
      },
      default: {},
    },
  },
} as const;

/**
 * Reads the document, and the file of authorities that it names.
 * @throws InputError with every defect, each by its JSON pointer
 */
export function parseInjector(text: string, readFile: (path: string) => string): InjectorConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError('injector', [{ pointer: '', message: 'is not JSON' }]);
  }
  const check = new Ajv2020({ allErrors: true, useDefaults: true, strict: false }).compile(INJECTOR_SCHEMA);
  if (!check(value)) throw new InputError('injector', (check.errors ?? []).map(defectOf));
  const { vault, ...rest } = value as InjectorConfig & { readonly vault: { readonly ca_file?: string } };
  const defects: Defect[] = [];
  const flaw = (pointer: string, message: string) => void defects.push({ pointer, message });
  for (const [kind, set] of Object.entries(rest.resources) as [string, Record<string, string>][])
    for (const [resource, amount] of Object.entries(set))
      if (quantityOf(amount) === undefined)
        flaw(`/resources/${kind}/${escaped(resource)}`, 'is not a quantity such as 100m or 64Mi');
  const upstreams = upstreamsOf(rest.upstreams.trim());
  if (upstreams === undefined) flaw('/upstreams', 'is not what SIGNET_UPSTREAMS takes, services, or none');
  const { ca_file: file, ...where } = vault;
  const ca = file === undefined ? undefined : authoritiesIn(file, readFile);
  if (ca === null) flaw('/vault/ca_file', 'names no readable PEM file of certificates and nothing else');
  if (defects.length > 0) throw new InputError('injector', defects);
  return { ...rest, upstreams: upstreams!, vault: { ...where, ...(ca ? { ca } : {}) } };
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const LARGEST_CA = 64 * 1024;

function authoritiesIn(file: string, readFile: (path: string) => string): string | null {
  try {
    const text = readFile(file);
    const blocks = text.match(PEM_BLOCK) ?? [];
    for (const block of blocks) new X509Certificate(block);
    const fit = blocks.length > 0 && text.length <= LARGEST_CA && !text.includes('PRIVATE KEY');
    return fit ? `${blocks.join('\n')}\n` : null;
  } catch {
    return null;
  }
}

function defectOf({ instancePath, message, keyword, params, propertyName }: ErrorObject): Defect {
  const named = keyword === 'additionalProperties' ? params['additionalProperty'] : undefined;
  const missing = keyword === 'required' ? params['missingProperty'] : undefined;
  const more = [named, missing, propertyName].find((each) => each !== undefined);
  const pointer = more === undefined ? instancePath : `${instancePath}/${escaped(String(more)).slice(0, 80)}`;
  if (missing !== undefined) return { pointer, message: 'is missing' };
  if (named !== undefined) return { pointer, message: 'is not a field of it' };
  const allowed = keyword === 'enum' ? `: ${String(params['allowedValues'])}` : '';
  return { pointer, message: `${message ?? 'does not fit'}${allowed}` };
}
