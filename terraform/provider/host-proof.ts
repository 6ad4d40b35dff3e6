import { parseSshPublicKey, SshError } from '../../lib/attestation/index.ts';
import { formed, textOf } from './checks.ts';
import {
  type Attribute,
  type Diagnostic,
  isValues,
  type Path,
  problem,
  UNKNOWN,
  type Value,
  type Values,
} from './plugin/index.ts';

type Match = Readonly<Record<string, string>>;

const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;
const isKey: Attribute['validate'] = (value) =>
  fingerprintOf(String(value)) === undefined
    ? 'It is neither a public key as it stands in ssh_host_ed25519_key.pub, nor its fingerprint (SHA256:…).'
    : undefined;
const isAccount = formed(/^[0-9]{12}$/, 'An account of AWS is 12 digits.');
const isInstance = formed(/^i-[0-9a-f]{8,17}$/, 'An EC2 instance is i- and 8 to 17 of 0-9 and a-f.');
const isRegion = formed(/^[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$/, 'It is a region such as eu-central-1.');
const isImage = formed(/^ami-[0-9a-f]{8,17}$/, 'An image is ami- and 8 to 17 of 0-9 and a-f.');
const isWord = formed(/^[\x21-\x7e]{1,512}$/, 'It is one word of printable characters.');

/** The ways in which a machine proves which one it is; a host has exactly one of them. */
export const PROOF_ATTRIBUTES: { readonly [name: string]: Attribute } = {
  ssh_host_key: {
    type: 'string',
    optional: true,
    validate: isKey,
    description:
      'By its SSH host key, which is pinned here: the public key as in `/etc/ssh/ssh_host_ed25519_key.pub`, or its fingerprint (`SHA256:…`).',
  },
  ssh_host_ca: {
    nested: {
      nesting: 'single',
      attributes: {
        key: {
          type: 'string',
          required: true,
          validate: isKey,
          description: "The CA's public key, or its fingerprint.",
        },
        principal: {
          type: 'string',
          required: true,
          validate: isWord,
          description: "The principal in the host's certificate: its name.",
        },
      },
    },
    optional: true,
    description: 'By an SSH host certificate of this CA, for this principal.',
  },
  device: {
    nested: {
      nesting: 'single',
      attributes: {
        ca: {
          type: 'string',
          required: true,
          validate: isWord,
          description: "The manufacturer's CA: `SHA256:…` of its public key (SPKI).",
        },
        serial: {
          type: 'string',
          optional: true,
          validate: isWord,
          description: "The certificate's serial number (hex).",
        },
        fingerprint: {
          type: 'string',
          optional: true,
          validate: isWord,
          description: "The certificate's fingerprint.",
        },
        ins: {
          type: 'string',
          optional: true,
          validate: isWord,
          description: 'The instance that the certificate names.',
        },
      },
    },
    optional: true,
    description:
      'By a device certificate of this manufacturer: one of `serial`, `fingerprint` and `ins` says which device.',
  },
  tpm_ek: {
    type: 'string',
    optional: true,
    validate: isWord,
    description: "By its TPM: `SHA256:…` of the endorsement key's public part (SPKI).",
  },
  aws: {
    nested: {
      nesting: 'single',
      attributes: {
        account: {
          type: 'string',
          required: true,
          validate: isAccount,
          description: 'The account that the instance is in.',
        },
        instance: {
          type: 'string',
          required: true,
          validate: isInstance,
          description: 'The instance: `i-…`, such as `aws_instance.web.id`.',
        },
        region: {
          type: 'string',
          optional: true,
          validate: isRegion,
          description: 'Its region; not asked if not set.',
        },
        image: {
          type: 'string',
          optional: true,
          validate: isImage,
          description: 'The image that it was launched from (`ami-…`); not asked if not set.',
        },
      },
    },
    optional: true,
    description:
      'By the identity document of this EC2 instance, and the SSH host key that shows it first: another key is refused after that.',
  },
  join: {
    type: 'bool',
    optional: true,
    description: '`true`: by a join code, good once, which the ephemeral resource `signet_join` makes.',
  },
};

const WAYS = Object.keys(PROOF_ATTRIBUTES);

/** Exactly one way, as far as that is known. */
export function proofFlaws(config: Values): Diagnostic[] {
  const told = WAYS.filter((name) => (config[name] ?? null) !== null && config[name] !== false);
  // what is not known yet may come to be null: a module's input is looked at again when it is
  const set = told.filter((name) => config[name] !== UNKNOWN);
  if (told.length === 0)
    return [problem('No proof', `A host proves which one it is in one way: set one of ${WAYS.join(', ')}.`)];
  if (set.length > 1)
    return set
      .slice(1)
      .map((name) => problem('More than one proof', `A host has one: ${set[0]} is set already.`, [name]));
  const device = config['device'];
  if (!isValues(device ?? null)) return [];
  const which = ['serial', 'fingerprint', 'ins'].filter(
    (name) => ((device as Values)[name] ?? null) !== null,
  );
  return which.length === 1
    ? []
    : [problem('Which device', 'Set one of serial, fingerprint and ins.', ['device'])];
}

/** Those whose members are selectors by the same names. */
const PREFIXES = [
  ['device', 'x509:'],
  ['aws', 'aws:'],
] as const;
const AWS_SELECTORS = /^aws:account(,aws:image)?,aws:instance(,aws:region)?$/;

/** The selectors of an entry for a host that proves itself so. */
export function matchOf(values: Values, id: string): Match {
  const key = textOf(values['ssh_host_key']);
  if (key !== undefined) return { 'ssh-host:key': fingerprintOf(key) ?? key };
  const ca = memberOf(values['ssh_host_ca']);
  if (ca)
    return {
      'ssh-host:ca': fingerprintOf(ca['key'] ?? '') ?? '',
      'ssh-host:principal': ca['principal'] ?? '',
    };
  for (const [attribute, prefix] of PREFIXES) {
    const found = memberOf(values[attribute]);
    if (found)
      return Object.fromEntries(Object.entries(found).map(([name, value]) => [`${prefix}${name}`, value]));
  }
  const ek = textOf(values['tpm_ek']);
  return ek === undefined ? { 'join:entry': id } : { 'tpm:ek': ek };
}

/** The way that these selectors say; undefined where it is none of a host's. What else is in them has no place here. */
export function proofOf(match: Match): Values | undefined {
  const none = Object.fromEntries(WAYS.map((name) => [name, null]));
  const keys = Object.keys(match).sort().join();
  const { 'ssh-host:key': key, 'ssh-host:ca': ca, 'ssh-host:principal': principal, 'tpm:ek': ek } = match;
  if (keys === 'ssh-host:key') return { ...none, ssh_host_key: key! };
  if (keys === 'ssh-host:ca,ssh-host:principal')
    return { ...none, ssh_host_ca: { key: ca!, principal: principal! } };
  if (keys === 'tpm:ek') return { ...none, tpm_ek: ek! };
  if (keys === 'join:entry') return { ...none, join: true };
  const members = (prefix: string) =>
    Object.fromEntries(Object.entries(match).map(([name, value]) => [name.slice(prefix.length), value]));
  if (AWS_SELECTORS.test(keys)) return { ...none, aws: { region: null, image: null, ...members('aws:') } };
  if (!['x509:ca,x509:fingerprint', 'x509:ca,x509:ins', 'x509:ca,x509:serial'].includes(keys))
    return undefined;
  return { ...none, device: { serial: null, fingerprint: null, ins: null, ...members('x509:') } };
}

/** The attribute that a selector of the entry comes from. */
export function attributeOfSelector(selector: string | undefined): Path | undefined {
  switch (selector) {
    case 'ssh-host:key':
      return ['ssh_host_key'];
    case 'ssh-host:ca':
      return ['ssh_host_ca', 'key'];
    case 'ssh-host:principal':
      return ['ssh_host_ca', 'principal'];
    case 'tpm:ek':
      return ['tpm_ek'];
    case 'join:entry':
      return ['join'];
  }
  const [attribute, prefix] = PREFIXES.find(([, front]) => selector?.startsWith(front)) ?? [];
  return attribute === undefined ? undefined : [attribute, selector!.slice(prefix!.length)];
}

function memberOf(value: Value | undefined): Record<string, string> | undefined {
  if (value === undefined || !isValues(value)) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => typeof each === 'string')) as Record<
    string,
    string
  >;
}

function fingerprintOf(text: string): string | undefined {
  if (FINGERPRINT.test(text)) return text;
  try {
    return parseSshPublicKey(text).fingerprint;
  } catch (error) {
    if (error instanceof SshError) return undefined;
    throw error;
  }
}
