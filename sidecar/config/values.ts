import { X509Certificate } from 'node:crypto';
import { parseSpiffeId, type SpiffeId } from '../../lib/spiffe/index.ts';
import { type Address, formatAddress, isLoopback, type Listen, parseAddress } from '../address.ts';

/** Where evidence comes from. */
export type AttestSpec =
  | { readonly method: 'ssh-host'; readonly keyFile: string }
  /** PEM files: the device's key, and its certificate with those that lead to its manufacturer. */
  | { readonly method: 'x509'; readonly keyFile: string; readonly chainFile: string }
  /** The TPM of this machine, and which of its endorsement keys. */
  | { readonly method: 'tpm'; readonly place: TpmPlace; readonly ek: 'rsa' | 'ecc' }
  /** `service` is where the instance metadata service is, where that is not its own address. */
  | { readonly method: 'aws'; readonly keyFile: string; readonly service?: URL }
  /** `-` is standard input. */
  | { readonly method: 'join'; readonly file: string }
  /** `cluster` is the name by which the broker knows the cluster, where it has to be told. */
  | { readonly method: 'kubernetes'; readonly tokenFile: string; readonly cluster?: string };

export type TpmPlace =
  | { readonly device: string }
  | { readonly socket: string }
  | { readonly host: string; readonly port: number };

/** A service that the app may call: the name it uses, where that is, and who may answer for it. */
export type Upstream = {
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly ids: readonly SpiffeId[];
  /** On loopback: whatever comes to this port is for this upstream. */
  readonly listen?: Listen;
  /** `tcp`: bytes without a protocol that we know, and only by `listen`. */
  readonly protocol?: 'tcp';
};

/** `h2c`: the app speaks HTTP/2 there, without TLS. */
export type Forward = { readonly listen: Listen; readonly app: Address & { readonly h2c?: true } };
/** For clients that have no SVID: over TLS in which we alone show one, or plain, and then on loopback. */
export type AnonymousForward = Forward & { readonly protocol: 'tls' | 'http' };

/** At least one. */
export type Forwards = {
  readonly http: Forward | null;
  readonly tcp: readonly Forward[];
  readonly anonymous: AnonymousForward | null;
};
export type AdminListener = Address | { readonly socket: string };

/**
 * Why a setting's text is refused. The message never quotes the text: what was pasted into the wrong variable may be a secret.
 * It reads on from the variable's name: `is not …`.
 */
export class SettingError extends Error {
  readonly defects: readonly string[];
  constructor(...defects: readonly string[]) {
    super(defects.join('; '));
    this.defects = defects;
  }
}

const UPSTREAM_NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

export function oneOf<const T extends string>(words: readonly T[]): (text: string) => T {
  return (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new SettingError(`is not one of ${words.join(', ')}`);
    return word;
  };
}

/** A number in digits, from 1 to `most`. */
export function countTo(most: number): (text: string) => number {
  return (text) => {
    const count = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0;
    if (count < 1 || count > most) throw new SettingError(`is not a number from 1 to ${most}`);
    return count;
  };
}

/** An origin: nothing but scheme, host and port, and plain HTTP only where no network carries it. */
export function parseOrigin(text: string, schemes: 'https' | 'https or loopback http'): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new SettingError('is not an address such as https://host:port');
  if (url.username !== '' || url.password !== '') throw new SettingError('holds a user name or password');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw new SettingError('has more than scheme, host and port');
  if (url.protocol === 'http:' && (schemes === 'https' || !isLoopback(url.hostname)))
    throw new SettingError(schemes === 'https' ? 'is not https' : 'is not https, and not on this machine');
  return url;
}

/**
 * `%d/` at the beginning of a path is the folder of the credentials that systemd read for this unit (systemd.exec(5)); in a file of settings
 * systemd itself leaves it as it is.
 */
export function withCredentials(text: string, folder: string | undefined): string {
  if (folder === undefined && /[:,]%d\//.test(text))
    throw new SettingError('names a credential of systemd (%d/), and there is no CREDENTIALS_DIRECTORY');
  return text.replace(/(?<=[:,])%d\//g, () => `${folder}/`);
}

export function parseAttest(text: string): AttestSpec {
  const [, method, input = ''] = /^([a-z0-9-]+):(.+)$/s.exec(text) ?? [];
  if (/^sj1\./.test(input) || /^sj1\./.test(text))
    throw new SettingError('holds a join code: put the code into a file, or give it on standard input');
  if (/^eyJ/.test(input) || /^eyJ/.test(text))
    throw new SettingError('holds a token: give the path of the file that it is in');
  if (method === 'ssh-host') return { method, keyFile: input };
  if (method === 'join') return { method, file: input };
  if (method === 'kubernetes') {
    const [, tokenFile = '', cluster] = /^(.+?)(?:@([a-z0-9][a-z0-9-]{0,62}))?$/s.exec(input) ?? [];
    return { method, tokenFile, ...(cluster === undefined ? {} : { cluster }) };
  }
  if (method === 'x509') {
    const [, keyFile, chainFile] = /^([^,]+),([^,]+)$/.exec(input) ?? [];
    if (keyFile !== undefined && chainFile !== undefined) return { method, keyFile, chainFile };
    throw new SettingError('is not x509:/path/to/key.pem,/path/to/chain.pem');
  }
  if (method === 'tpm') return parseTpm(input);
  if (method === 'aws') {
    const [, keyFile = '', service] = /^(.+?)(?:@(https?:.+))?$/s.exec(input) ?? [];
    return { method, keyFile, ...(service === undefined ? {} : { service: parseMetadataService(service) }) };
  }
  throw new SettingError(
    'is not ssh-host:/path, kubernetes:/path[@cluster], x509:/key,/chain, tpm:/dev/tpmrm0, aws:/path, join:/path or join:-',
  );
}

/** It speaks plain HTTP only, and what it gives is public within the machine. */
function parseMetadataService(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' || url.href !== `${url.origin}/`)
    throw new SettingError('names a metadata service that is not http://host:port');
  return url;
}

function parseTpm(input: string): AttestSpec {
  const [, where = '', ek = 'rsa'] = /^(.+?)(?:,(rsa|ecc))?$/s.exec(input) ?? [];
  if (where.startsWith('/')) return { method: 'tpm', place: { device: where }, ek: ek as 'rsa' | 'ecc' };
  const address = where.startsWith('tcp:') ? parseAddress(where.slice(4)) : undefined;
  if (where.startsWith('unix:/'))
    return { method: 'tpm', place: { socket: where.slice(5) }, ek: ek as 'rsa' | 'ecc' };
  // what is said to a TPM goes in the clear
  if (address === undefined || address.port === 0 || !isLoopback(address.host))
    throw new SettingError(
      'is not tpm:/dev/tpmrm0, tpm:unix:/path or tpm:tcp:127.0.0.1:port, each with ,ecc or not',
    );
  return { method: 'tpm', place: { host: address.host, port: address.port }, ek: ek as 'rsa' | 'ecc' };
}

const H2C = 'h2c://';
const TCP = 'tcp:';

/**
 * The forwards of `SIGNET_INBOUND`, separated by white space: one for mTLS, any number for raw connections, which begin with `tcp:`, and
 * one for clients that have no SVID, which begins with `tls:` or `http:`.
 */
export function parseForwards(text: string): Forwards {
  const http: Forward[] = [];
  const tcp: Forward[] = [];
  const anonymous: AnonymousForward[] = [];
  const items = text.trim().replace(/\s*->\s*/g, '->');
  for (const item of items.split(/\s+/)) {
    const [, kind, rest = item] = /^(tcp|tls|http):(.*)$/.exec(item) ?? [];
    const forward = parseForward(rest);
    if (kind === 'tcp') tcp.push(rawForward(forward));
    else if (kind === 'tls' || kind === 'http') anonymous.push(anonymousForward(kind, forward));
    else http.push(forward);
  }
  if (http.length > 1)
    throw new SettingError('has two forwards for mTLS; all others have to be tcp:, tls: or http:');
  if (anonymous.length > 1)
    throw new SettingError('has two forwards for clients without an SVID (tls: or http:)');
  const ports = [...http, ...tcp, ...anonymous].flatMap(({ listen }) =>
    listen.port === 0 ? [] : [formatAddress(listen)],
  );
  if (new Set(ports).size < ports.length) throw new SettingError('gives two forwards one port');
  return { http: http[0] ?? null, tcp, anonymous: anonymous[0] ?? null };
}

function rawForward(forward: Forward): Forward {
  if (forward.app.h2c) throw new SettingError('says both tcp and h2c of one forward');
  return forward;
}

function anonymousForward(protocol: AnonymousForward['protocol'], forward: Forward): AnonymousForward {
  // what is neither encrypted nor tied to a certificate stays on this machine
  if (protocol === 'http' && !isLoopback(forward.listen.host))
    throw new SettingError('has an http: listener that is not on loopback');
  return { protocol, ...forward };
}

function parseForward(text: string): Forward {
  const [from = '', to = '', ...rest] = text.split('->').map((part) => part.trim());
  const h2c = to.startsWith(H2C);
  const [listen, app] = [parseAddress(from), parseAddress(h2c ? to.slice(H2C.length) : to)];
  if (listen === undefined || app === undefined || app.port === 0 || rest.length > 0)
    throw new SettingError('is not listener->app, such as 0.0.0.0:8443->127.0.0.1:8080');
  // The app believes the identity headers it is given, and they go to it in the clear.
  if (!isLoopback(app.host)) throw new SettingError('names an app that is not on loopback');
  return { listen, app: h2c ? { ...app, h2c } : app };
}

export function parseLoopback(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new SettingError('is not an address such as 127.0.0.1:15001');
  // Whoever reaches this listener calls with the workload's identity.
  if (!isLoopback(address.host)) throw new SettingError('is not on loopback');
  return address;
}

export function parseAdmin(text: string): AdminListener {
  if (!text.startsWith('unix:')) return parseLoopback(text);
  const socket = text.slice('unix:'.length);
  if (!socket.startsWith('/')) throw new SettingError('is not unix: and an absolute path');
  // sun_path: 108 bytes with its end on Linux, 104 on macOS. A longer one would be cut short without a word.
  if (Buffer.byteLength(socket) > 103) throw new SettingError('is a socket path of over 103 bytes');
  return { socket };
}

export function parseHealth(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new SettingError('is not an address such as 0.0.0.0:15021');
  return address;
}

export function parseUpstreams(text: string): Upstream[] {
  const upstreams = text.split(/\s+/).map((item, i) => parseUpstream(item, `upstream ${i + 1}`));
  if (new Set(upstreams.map(({ name }) => name)).size < upstreams.length)
    throw new SettingError('names an upstream twice');
  const ports = upstreams.flatMap(({ listen }) =>
    listen && listen.port !== 0 ? [formatAddress(listen)] : [],
  );
  if (new Set(ports).size < ports.length) throw new SettingError('gives two upstreams one local port');
  return upstreams;
}

function parseUpstream(item: string, which: string): Upstream {
  const [, name, port, places = '', callees = ''] =
    /^([^=#@]+)(?:@([^=#@]+))?=([^=#]+)#([^=#]+)$/.exec(item) ?? [];
  if (name === undefined) throw new SettingError(`${which}: is not name=address#spiffe-id`);
  if (!UPSTREAM_NAME.test(name)) throw new SettingError(`${which}: its name is not a lower-case host name`);
  const addresses = places.split(',').map((place) => {
    const address = parseAddress(place);
    if (address === undefined || address.port === 0 || place.startsWith(':'))
      throw new SettingError(`${which}: an address is not host:port`);
    return address;
  });
  const ids = callees.split(',').map((id) => {
    try {
      return parseSpiffeId(id);
    } catch {
      throw new SettingError(`${which}: a SPIFFE ID is not one`);
    }
  });
  if (port === undefined) return { name, addresses, ids };
  const tcp = port.startsWith(TCP);
  const listen = localPort(tcp ? port.slice(TCP.length) : port, which);
  return { name, addresses, ids, listen, ...(tcp ? { protocol: 'tcp' } : {}) };
}

function localPort(text: string, which: string): Address {
  try {
    return parseLoopback(text);
  } catch (error) {
    throw error instanceof SettingError
      ? new SettingError(`${which}: its local port ${error.message}`)
      : error;
  }
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM file, to be trusted as authorities. A key among them is refused: it would not belong there. */
export function parseAuthorities(pem: string): string {
  if (pem.includes('PRIVATE KEY-----')) throw new SettingError('names a file that holds a private key');
  const blocks = pem.match(PEM_BLOCK) ?? [];
  for (const block of blocks) {
    try {
      new X509Certificate(block);
    } catch {
      throw new SettingError('names a file with a damaged certificate');
    }
  }
  if (blocks.length === 0) throw new SettingError('names a file without a certificate');
  return blocks.join('\n');
}
