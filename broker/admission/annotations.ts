import { isIP } from 'node:net';
import { parseSpiffeId, type SpiffeId } from '../../lib/spiffe/index.ts';

/** What a namespace's own annotation `signet/allow` can permit to its pods. */
export const ALLOWANCES = ['redirect', 'exclude-ports', 'token'] as const;
export type Allowance = (typeof ALLOWANCES)[number];

/** What a pod asks for by its annotations. */
export type Asked = {
  /** The app's port. */
  readonly inbound: number | null;
  /** As `SIGNET_UPSTREAMS` takes it, or `none`; null: as the injector is configured. */
  readonly upstreams: string | null;
  readonly redirect: boolean;
  readonly excludedPorts: readonly number[];
  readonly proxyEnv: boolean;
  /** The ID that the pod expects to get. */
  readonly identity: SpiffeId | null;
};

type Annotation = {
  /** What its value may be; for docs. */
  readonly value: string;
  readonly meaning: string;
  /** Needs this word in the namespace's `signet/allow`. */
  readonly needs?: Allowance;
};

/** Every annotation of a pod that the injector reads. */
export const ANNOTATIONS = {
  'signet/inject': {
    value: '`true`, `false`',
    meaning: 'whether the pod gets a sidecar; without it, none',
  },
  'signet/inbound': {
    value: 'a port, such as `8080`',
    meaning: 'where the app serves on loopback; the sidecar takes mTLS for it on port 8443',
  },
  'signet/upstreams': {
    value: 'as `SIGNET_UPSTREAMS`, the word `services`, or `none`',
    meaning: "what the app may call by 127.0.0.1:15001; without it, the injector's default",
  },
  'signet/redirect': {
    value: '`true`, `false`',
    meaning:
      "the app's own connections are redirected to the sidecar; needs an init container with NET_ADMIN",
    needs: 'redirect',
  },
  'signet/exclude-ports': {
    value: 'up to 32 ports, by comma, such as `5432,6379`',
    meaning: 'destination ports that the redirect leaves alone',
    needs: 'exclude-ports',
  },
  'signet/proxy-env': {
    value: '`true`, `false`',
    meaning: 'sets HTTP_PROXY and NO_PROXY, in both cases of letters, in containers that set neither',
  },
  'signet/policy-mode': {
    value: '`enforce`',
    meaning:
      'that policies hold. Dry-run is said in a policy, by its author, and never on a pod: any other word is refused',
  },
  'signet/identity': {
    value: 'a SPIFFE ID',
    meaning: 'the ID that the pod expects; refused at admission if no registration entry gives it',
  },
} as const satisfies Readonly<Record<string, Annotation>>;

type Name = keyof typeof ANNOTATIONS;

/** What the injector itself writes. */
export const STATUS = 'signet/status';
export const BROKER_CA = 'signet/broker-ca';
export const VAULT_CA = 'signet/vault-ca';
export const WRITTEN: readonly string[] = [STATUS, BROKER_CA, VAULT_CA];
export const INJECTED_LABEL = 'signet/injected';
/** On a namespace. */
export const ALLOW = 'signet/allow';
export const PREFIX = 'signet/';

const MOST_PORTS = 32;
const LONGEST = 16_384;

/** What is asked for, and all that is wrong with it: each defect reads on from the annotation's name, and quotes no value. */
export function readAsked(annotations: Readonly<Record<string, string>>): {
  readonly asked: Asked;
  readonly defects: readonly string[];
  /** What the namespace has to allow for it. */
  readonly needs: readonly Allowance[];
} {
  const defects: string[] = [];
  const parse = <T>(name: Name, parser: (text: string) => T | undefined, wanted: string, absent: T): T => {
    const text = annotations[name];
    if (text === undefined) return absent;
    const value = text.length > LONGEST ? undefined : parser(text.trim());
    if (value === undefined) defects.push(`${name} is not ${wanted}`);
    return value ?? absent;
  };
  const yes = (name: Name) => parse(name, yesOrNo, 'true or false', false);
  for (const name of Object.keys(annotations)) {
    if (name.startsWith(PREFIX) && !Object.hasOwn(ANNOTATIONS, name) && !WRITTEN.includes(name))
      defects.push(`${name.slice(0, 80)} is no annotation of Signet`);
  }
  yes('signet/inject');
  parse(
    'signet/policy-mode',
    (text) => text === 'enforce' || undefined,
    'enforce: dry-run is said in a policy',
    true,
  );
  const asked: Asked = {
    inbound: parse<number | null>('signet/inbound', portOf, 'a port from 1 to 65535', null),
    upstreams: parse<string | null>(
      'signet/upstreams',
      upstreamsOf,
      'a list of name=host:port#spiffe-id, the word services, or none',
      null,
    ),
    redirect: yes('signet/redirect'),
    excludedPorts: parse('signet/exclude-ports', portsOf, `up to ${MOST_PORTS} ports, by comma`, []),
    proxyEnv: yes('signet/proxy-env'),
    identity: parse<SpiffeId | null>('signet/identity', idOf, 'a SPIFFE ID', null),
  };
  if (asked.excludedPorts.length > 0 && !asked.redirect)
    defects.push('signet/exclude-ports says nothing without signet/redirect');
  const needs: Allowance[] = [];
  if (asked.redirect) needs.push('redirect');
  if (asked.excludedPorts.length > 0) needs.push('exclude-ports');
  return { asked, defects, needs };
}

function yesOrNo(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

function portOf(text: string): number | undefined {
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function portsOf(text: string): readonly number[] | undefined {
  const ports = text.split(',').map((part) => portOf(part.trim()));
  const good = ports.filter((port) => port !== undefined);
  return good.length === ports.length && good.length <= MOST_PORTS
    ? [...new Set(good)].sort((a, b) => a - b)
    : undefined;
}

function idOf(text: string): SpiffeId | undefined {
  try {
    return parseSpiffeId(text);
  } catch {
    return undefined;
  }
}

const UPSTREAM =
  /^([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?:@(?:tcp:)?127\.0\.0\.1:(\d{1,5}))?=([^=#@]+)#([^=#@]+)$/;
const HOST_PORT = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.?):([1-9]\d{0,4})$/;
const MOST_UPSTREAMS = 256;

/** In the one form that goes into the environment. What it lets through, the sidecar reads; a dollar sign, which Kubernetes would expand, is not in it. */
export function upstreamsOf(text: string): string | undefined {
  if (text === 'none') return text;
  const items = text.split(/\s+/);
  const good =
    items.length <= MOST_UPSTREAMS && items.every((item) => item === 'services' || isUpstream(item));
  return good && new Set(items.map((item) => item.split(/[@=]/)[0])).size === items.length
    ? items.join(' ')
    : undefined;
}

function isUpstream(item: string): boolean {
  const [, name, port, places = '', ids = ''] = UPSTREAM.exec(item) ?? [];
  return (
    name !== undefined &&
    (port === undefined || portOf(port) !== undefined) &&
    places.split(',').every(isPlace) &&
    ids.split(',').every((id) => idOf(id) !== undefined)
  );
}

function isPlace(place: string): boolean {
  const [, host = '', port = ''] = HOST_PORT.exec(place) ?? [];
  if (portOf(port) === undefined) return false;
  if (host.startsWith('[')) return isIP(host.slice(1, -1)) === 6;
  return isIP(host) === 4 || !/^[\d.]+$/.test(host);
}
