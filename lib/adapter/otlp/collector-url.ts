import { isIPv4 } from 'node:net';

/**
 * The address of a collector: https, or http on this machine; it may have a path, behind which `/v1/traces` and the others come. A text says
 * what it is instead, reading on from the setting's name.
 */
export function collectorUrl(text: string): URL | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    return 'is not an address such as https://collector:4318';
  if (url.username !== '' || url.password !== '') return 'holds a user name or password';
  if (url.search !== '' || url.hash !== '') return 'has more than scheme, host, port and path';
  if (url.protocol === 'http:' && !isHere(url.hostname)) return 'is not https, and not on this machine';
  return url;
}

function isHere(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}
