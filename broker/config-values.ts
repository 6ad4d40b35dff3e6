import { isIP } from 'node:net';
import { LOG_LEVELS, type LogLevel } from '../lib/adapter/log.ts';
import { collectorUrl } from '../lib/adapter/otlp/collector-url.ts';
import { parseTrustDomain } from '../lib/spiffe/index.ts';

export type Listen = { readonly host: string; readonly port: number };

export type CertificateNames = { readonly dns: readonly string[]; readonly ips: readonly string[] };

/** Why a text is refused. It reads on from the variable's name and never quotes the text, which may be a misplaced secret. */
export class Refusal extends Error {}

export function asTrustDomain(text: string): string {
  try {
    return parseTrustDomain(text);
  } catch {
    throw new Refusal('is not a trust domain (up to 255 of a-z 0-9 . _ -)');
  }
}

export function asLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((word) => word === text);
  if (level === undefined) throw new Refusal(`is not one of ${LOG_LEVELS.join(', ')}`);
  return level;
}

export function asNamespace(text: string): string {
  if (!/^[A-Za-z0-9._/-]{1,255}$/.test(text)) throw new Refusal('is not a Vault namespace');
  return text;
}

export function parseCollector(text: string): URL {
  const url = collectorUrl(text);
  if (typeof url === 'string') throw new Refusal(url);
  return url;
}

export function parseVaultAddress(text: string): string {
  const url = parsePublicAddress(text);
  const { protocol, hostname } = new URL(url);
  if (protocol === 'http:' && !isLoopback(hostname)) {
    throw new Refusal('is plain http to another machine, which would show it every token: use https');
  }
  return url;
}

export function parsePublicAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new Refusal('is not a URL such as https://vault:8200');
  }
  if (url.username || url.password || url.search || url.hash || url.pathname !== '/') {
    throw new Refusal('is more than scheme, host and port');
  }
  return url.origin;
}

export function parseListen(text: string, loopback: boolean): Listen {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? (plain === '' ? '::' : plain);
  const port = Number(digits);
  if (host === undefined || port > 65_535 || (isIP(host) === 0 && host !== 'localhost')) {
    throw new Refusal('is not an address such as 127.0.0.1:8555');
  }
  if (loopback && !isLoopback(host)) throw new Refusal('is not on loopback: metrics are not for everyone');
  return { host, port };
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '::1' ||
    host === '[::1]' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

export function parseNames(text: string): CertificateNames {
  const names = text.split(',').map((name) => name.trim());
  const ips = names.filter((name) => isIP(name) !== 0);
  const dns = names.filter((name) => isIP(name) === 0);
  if (!dns.every((name) => DNS_NAME.test(name))) {
    throw new Refusal('is not a list of host names in lower case and IP addresses, by comma');
  }
  return { dns, ips };
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d{1,7}$/.test(text) || count === 0) throw new Refusal('is not a whole number above 0');
  return count;
}

const UNITS = { ms: 1, s: 1000, m: 60_000 } as const;

export function parseDuration(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,5})(ms|s|m)$/.exec(text) ?? [];
  if (digits === undefined) throw new Refusal('is not a time such as 500ms, 10s or 1m');
  const ms = Number(digits) * UNITS[unit as keyof typeof UNITS];
  if (ms > 10 * UNITS.m) throw new Refusal('is over ten minutes');
  return ms;
}

export function readFrom(path: string, readFile: (path: string) => string): string {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Refusal(`names a file that ${missing ? 'does not exist' : 'cannot be read'}`);
  }
  if (text.trim() === '') throw new Refusal('names an empty file');
  return text;
}
