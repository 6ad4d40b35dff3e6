import type { Actual } from '../actual.ts';
import { everyResource } from '../actual.ts';
import { type Difference, differences, type Resource, shown } from '../desired/index.ts';
import type { Layout } from '../layout.ts';
import { aclPolicies, isGenerated } from '../policies/index.ts';
import { APPLY, type Finding } from './finding.ts';

/** Every field of every role, key and configuration that is not what the layout has. `unread` are paths the token may not read. */
export function settingFindings(actual: Actual, layout: Layout, unread: ReadonlySet<string>): Finding[] {
  return everyResource(layout, actual).flatMap((resource) => {
    if (isUnread(resource.path, unread)) return [];
    const found = actual.resources.get(resource.id);
    if (found === undefined) return [absent(resource)];
    return differences(resource, found).map((difference) => finding(resource, difference));
  });
}

/** Signet's own ACL policies: each the same to the byte, none missing, none left over. */
export function policyFindings(actual: Actual, layout: Layout, unread: ReadonlySet<string>): Finding[] {
  const wanted = new Map(aclPolicies(layout).map(({ name, text }) => [name, text]));
  const path = (name: string) => `sys/policies/acl/${name}`;
  const own = [...wanted]
    .filter(([name, text]) => !unread.has(path(name)) && actual.policies.get(name) !== text)
    .map(([name]) => ({
      id: `policy.${name}`,
      setting: `${path(name)} ${actual.policies.has(name) ? 'is not the text of the layout' : 'is missing'}`,
      allows: actual.policies.has(name)
        ? 'its holders may do other things than the layout says: read it before it is put back'
        : 'its holders can do nothing, or, once somebody else writes it, anything',
      fix: APPLY,
    }));
  const stale = [...actual.policies.keys()]
    .filter((name) => isGenerated(name) && !wanted.has(name))
    .map((name) => ({
      id: `policy.${name}`,
      setting: `${path(name)} belongs to no tenant or lifetime of the layout`,
      allows: 'whoever still holds it registers or signs what the layout does not know of',
      fix: APPLY,
    }));
  return [...own, ...stale];
}

/** Engines are read from the lists they stand in. */
function isUnread(path: string, unread: ReadonlySet<string>): boolean {
  return (
    unread.has(path) ||
    ['sys/mounts', 'sys/auth'].some((list) => path.startsWith(`${list}/`) && unread.has(list))
  );
}

function absent(resource: Resource): Finding {
  return { id: resource.id, setting: `${resource.path} is missing`, allows: resource.missing, fix: APPLY };
}

function finding(resource: Resource, { setting, found }: Difference): Finding {
  const { id, path, write } = resource;
  const final = write.final?.includes(setting.name) || write.update === undefined;
  return {
    id: `${id}.${setting.name}`,
    setting: `${path} has ${setting.name} = ${shown(found)} in place of ${shown(setting.want)}`,
    allows: setting.allows,
    fix: final ? `Vault does not change this back: replace ${path}, then ${APPLY}` : APPLY,
  };
}
