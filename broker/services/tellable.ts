import { type RegisteredService, servicePath } from './registered-service.ts';

/** Of one tenant, those of the tenants below it not counted. */
export const MOST_OF_A_TENANT = 256;
export const MOST_TOLD = 2_000;
/** Of all that are told, as JSON: each sidecar is sent all of it, and holds it. */
const MOST_BYTES = 4 * 1024 * 1024;

/**
 * What sidecars are told of. Of a host that two claim, written past the brokers, neither: which of them is meant cannot be known. And no more than
 * they take, of which each tenant has its share; whatever it makes below itself is within that.
 */
export function tellable(all: Iterable<RegisteredService>): {
  readonly told: readonly RegisteredService[];
  readonly tied: readonly string[];
} {
  const sorted = [...all].sort((a, b) => (servicePath(a) < servicePath(b) ? -1 : 1));
  const claims = Map.groupBy(sorted, ({ host }) => host);
  const counts = new Map<string, number>();
  const few = sorted
    .filter(({ host }) => claims.get(host)?.length === 1)
    .filter(({ tenant }) => {
      const count = (counts.get(tenant) ?? 0) + 1;
      counts.set(tenant, count);
      return count <= MOST_OF_A_TENANT;
    });
  let left = MOST_BYTES;
  const told = inTurn(few.map(sizedOf), 0)
    .slice(0, MOST_TOLD)
    .filter(({ bytes }) => {
      left -= bytes;
      return left >= 0;
    })
    .map(({ service }) => service)
    .sort((a, b) => (a.host < b.host ? -1 : 1));
  return { told, tied: [...claims].filter(([, those]) => those.length > 1).map(([host]) => host) };
}

type Sized = { readonly service: RegisteredService; readonly bytes: number };

function sizedOf(service: RegisteredService): Sized {
  const { host, addresses, spiffe_ids } = service;
  return { service, bytes: Buffer.byteLength(JSON.stringify({ host, addresses, spiffe_ids })) + 1 };
}

/**
 * In an order of which every beginning is fair: no name at this depth of tenants has more in it, in bytes, while another lacks what it has
 * already, and so on below each.
 */
function inTurn(services: readonly Sized[], depth: number): readonly Sized[] {
  const groups = Map.groupBy(services, ({ service }) => service.tenant.split('/')[depth] ?? '');
  return [...groups]
    .flatMap(([name, those]) => {
      let rank = 0;
      // those of the very tenant that has the others below it are one among them
      const ordered = name === '' ? those : inTurn(those, depth + 1);
      return ordered.map((each) => {
        rank += each.bytes;
        return { each, rank };
      });
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ each }) => each);
}
