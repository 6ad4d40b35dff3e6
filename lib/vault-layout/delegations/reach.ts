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
