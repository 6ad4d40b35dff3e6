import { isIP } from 'node:net';

/** A TCP endpoint. An IPv6 host stands without brackets. */
export type Address = { readonly host: string; readonly port: number };

/** Where to listen. `shared`: other processes of ours listen there too, and the kernel spreads what comes over all of them. */
export type Listen = Address & { readonly shared?: true };

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.?$/i;

/**
 * Parses `127.0.0.1:8443`, `[::1]:8443`, `orders.internal:8443`. Undefined when it is not one.
 * An empty host (`:8443`) is every address of this machine; only a listener may say that.
 */
export function parseAddress(text: string): Address | undefined {
  const [, bracketed, plain = '', digits = ''] = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : undefined;
  if (plain === '') return { host: '::', port };
  // A name of digits and dots alone is a mistyped IPv4 address; a resolver would make another address of it.
  if (isIP(plain) === 0 && (/^[\d.]+$/.test(plain) || !HOST_NAME.test(plain))) return undefined;
  return { host: plain, port };
}

/** `127.0.0.1:8443`, `[::1]:8443` */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether the host can only be this machine, from its text alone: no name is looked up, but for `localhost`. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}
