import { isDeepStrictEqual } from 'node:util';
import { SignetError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import { type Actual, LAYOUT_PATH } from './actual.ts';
import { caChanges } from './ca.ts';
import {
  bodyOf,
  type Difference,
  differences,
  engines,
  pkiAddresses,
  type Resource,
  resources,
  SEEDS,
  shown,
} from './desired/index.ts';
import { kubernetesConfigChanges } from './kubernetes-config.ts';
import { type Layout, layoutDocument } from './layout.ts';
import { aclPolicies, isGenerated } from './policies/index.ts';
import { certificateChanges } from './policy-certificate.ts';
import type { VaultPort } from './port.ts';

/** One thing that `apply` does, in words a person can judge before it is done. */
export type Change = { readonly kind: 'create' | 'change' | 'remove'; readonly summary: string };

/** A change and the calls that make it. */
export type PlannedChange = Change & { make(vault: VaultPort): Promise<void> };

export type PlanOptions = {
  /** A signed intermediate with its chain up to the root (PEM): of an external root, or a new issuer beside those there are. */
  readonly signedIntermediate?: string;
  /** The token in whose name Vault asks the API server about others. */
  readonly kubernetesReviewer?: Secret;
  /** By which the policy key's certificate is renewed; left out, it is not. */
  readonly now?: Date;
};

/**
 * What has to be done, in the order in which it can be done, to bring a Vault to the layout. Nothing, when it is there.
 * @throws SignetError `LAYOUT_CONFLICT` when something that cannot be changed stands in the way
 */
export function planLayout(actual: Actual, layout: Layout, options: PlanOptions = {}): PlannedChange[] {
  const before = [...engines(layout), ...pkiAddresses(layout)];
  const after = resources(layout, actual.tokenAccessor);
  return [
    ...before.flatMap((resource) => resourceChanges(resource, actual)),
    ...policyChanges(actual, layout),
    ...kubernetesConfigChanges(actual, layout, options.kubernetesReviewer),
    ...caChanges(actual, layout, options.signedIntermediate),
    ...after.flatMap((resource) => resourceChanges(resource, actual)),
    ...certificateChanges(actual, layout, {
      willSign: layout.root === 'vault' || options.signedIntermediate !== undefined,
      now: options.now,
    }),
    ...SEEDS.filter(({ path }) => !actual.seeds.has(path)).map(({ path, data }) => seed(path, data)),
    ...layoutChange(actual, layout),
    ...stalePolicies(actual, layout),
  ];
}

function resourceChanges(resource: Resource, actual: Actual): PlannedChange[] {
  const { path, write } = resource;
  const found = actual.resources.get(resource.id);
  if (found === undefined && write.create !== undefined) return [creation(resource, write.create)];
  const differing = differences(resource, found ?? {});
  if (differing.length === 0) return [];
  const stuck = differing.filter(({ setting }) => write.final?.includes(setting.name));
  if (stuck.length > 0 || write.update === undefined) {
    throw new SignetError(
      'LAYOUT_CONFLICT',
      `${path} has ${told(stuck)}, which Vault does not change: remove or replace it by hand`,
    );
  }
  const settings = write.update.send === 'all' ? resource.settings : differing.map(({ setting }) => setting);
  const { path: to } = write.update;
  return [
    {
      kind: 'change',
      summary: `${path}: ${told(differing)}`,
      make: async (vault) => void (await vault.request('POST', to, bodyOf(settings))),
    },
  ];
}

function creation(resource: Resource, create: { path: string; body: object }): PlannedChange {
  return {
    kind: 'create',
    summary: resource.path,
    async make(vault) {
      await vault.request('POST', create.path, create.body);
      const { update, final = [] } = resource.write;
      const rest = resource.settings.filter(
        ({ name, want }) => !(name in create.body) && !final.includes(name) && !isEmpty(want),
      );
      if (update !== undefined && update.path !== create.path && rest.length > 0) {
        await vault.request('POST', update.path, bodyOf(rest));
      }
    },
  };
}

function told(differing: readonly Difference[]): string {
  return differing
    .map(({ setting, found }) => `${setting.name} ${shown(found)} -> ${shown(setting.want)}`)
    .join(', ');
}

function isEmpty(want: unknown): boolean {
  return want === '' || want === false || want === 0 || (Array.isArray(want) && want.length === 0);
}

function policyChanges(actual: Actual, layout: Layout): PlannedChange[] {
  return aclPolicies(layout)
    .filter(({ name, text }) => actual.policies.get(name) !== text)
    .map(({ name, text }) => ({
      kind: actual.policies.has(name) ? 'change' : 'create',
      summary: `sys/policies/acl/${name}`,
      make: async (vault) => void (await vault.request('POST', `sys/policies/acl/${name}`, { policy: text })),
    }));
}

/** Policies of tenants and lifetimes that the layout had once: who still holds one loses what it gave. */
function stalePolicies(actual: Actual, layout: Layout): PlannedChange[] {
  const wanted = new Set(aclPolicies(layout).map(({ name }) => name));
  return [...actual.policies.keys()]
    .filter((name) => isGenerated(name) && !wanted.has(name))
    .map((name) => ({
      kind: 'remove',
      summary: `sys/policies/acl/${name}: its tenant or lifetime is not in the layout any more`,
      make: async (vault) => void (await vault.request('DELETE', `sys/policies/acl/${name}`)),
    }));
}

function seed(path: string, data: object): PlannedChange {
  return {
    kind: 'create',
    summary: path,
    make: async (vault) => void (await vault.request('POST', path, { data, options: { cas: 0 } })),
  };
}

/** The layout itself is kept in Vault, so that plan and doctor need no file. */
function layoutChange(actual: Actual, layout: Layout): PlannedChange[] {
  const data = layoutDocument(layout);
  const cas = actual.layout.version;
  if (isDeepStrictEqual(actual.layout.document, data)) return [];
  return [
    {
      kind: cas === 0 ? 'create' : 'change',
      summary: `${LAYOUT_PATH}: the layout, for plan and doctor`,
      make: async (vault) => void (await vault.request('POST', LAYOUT_PATH, { data, options: { cas } })),
    },
  ];
}
