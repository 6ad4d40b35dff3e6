import type { Socket } from 'node:net';
import { openSystemCalls } from '../../lib/adapter/ffi.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { type Address, formatAddress } from '../address.ts';
import { Refused } from '../relay/index.ts';
import type { Destination } from './destination.ts';

/** Where a connection that the kernel redirected to us was going; undefined when that cannot be known. */
export type OriginalDestination = (socket: Socket) => Address | undefined;

/** Without the system call for it, as the log then says, `Host` alone tells where a request is meant to go. */
export async function originalDestinations(log: Log): Promise<OriginalDestination> {
  const calls = await openSystemCalls();
  if (calls === undefined) log.warn('original_destination_unavailable');
  return (socket) => {
    const { fd } = (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle ?? {};
    if (calls === undefined || fd === undefined || fd < 0) return undefined;
    return calls.originalDestination(fd, socket.localFamily === 'IPv6' ? 6 : 4);
  };
}

/**
 * The upstream at this address: the only one with this host and port, or else the only one with this host, since an app calls another
 * app's port and not its sidecar's.
 */
export function destinationAt(
  { host, port }: Address,
  destinations: Iterable<Destination>,
): Destination | undefined {
  const name = canonical(host);
  const there = [...destinations].flatMap((destination) => {
    const ports = destination.at
      .filter((address) => canonical(address.host) === name)
      .map((each) => each.port);
    return ports.length === 0 ? [] : [{ destination, exact: ports.includes(port) }];
  });
  const exact = there.filter((each) => each.exact);
  const [only, ...others] = exact.length > 0 ? exact : there;
  return others.length > 0 ? undefined : only?.destination;
}

export function unknownDestination(host: string, original: Address | undefined): Refused {
  const where =
    original === undefined ? 'where it was going is not known' : `none is at ${formatAddress(original)}`;
  const detail = `no upstream is named ${host}, and ${where}`;
  return new Refused({ status: 503, code: 'unknown_destination', detail });
}

/** An IPv6 address can be written in many ways. */
function canonical(host: string): string {
  return host.includes(':') && URL.canParse(`http://[${host}]`) ? new URL(`http://[${host}]`).hostname : host;
}
