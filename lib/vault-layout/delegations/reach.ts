import { parseEntry } from '../../attestation/index.ts';
import { SignetError } from '../../errors.ts';
import type { Layout } from '../layout.ts';
import type { Delegation } from './delegation.ts';

/** Why a delegation would let its runs have more than it says, or nothing. */
export function reachDefects({ tenant: name, idPrefixes, entries }: Delegation, layout: Layout): string[] {
  const tenant = layout.tenants.find((each) => each.name === name);
  if (tenant === undefined) return [`${name} is not a tenant of the layout`];
  const outside = idPrefixes.filter((prefix) => !tenant.idPrefixes.some((own) => prefix.startsWith(own)));
  const whole = tenant.idPrefixes.every((own) => idPrefixes.includes(own));
  return [
    ...outside.map((prefix) => `${prefix} is not below a prefix of ${name}`),
    // whoever may write the document of an entry says what its workload must show, and so takes the ID it gives, whatever that is
    ...(whole || entries !== ''
      ? []
      : [
          `IDs are narrower than those of ${name} and entries are not: its runs could write entries of other IDs. Say how the names of its entries begin`,
        ]),
  ];
}

/** The ID, as a path without its first slash, that an entry of these runs' names gives and that is not for them; undefined where it is. */
export function idBeyond(document: unknown, { idPrefixes }: Delegation, layout: Layout): string | undefined {
  const front = `spiffe://${layout.trustDomain}/`;
  try {
    const id = parseEntry(document, layout).spiffe_id.slice(front.length);
    return idPrefixes.some((prefix) => id.startsWith(prefix)) ? undefined : id;
  } catch (error) {
    // what cannot be read gives nobody anything
    if (error instanceof SignetError) return undefined;
    throw error;
  }
}
