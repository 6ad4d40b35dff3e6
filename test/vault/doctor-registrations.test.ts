import { expectOk, type Lab, ORDERS_ALIAS, ORDERS_ROLE, openLab } from './lab.ts';
import { itNames, post, remove, type Trap, unregister } from './traps.ts';

const role = (changes: object) => (lab: Lab) =>
  expectOk(lab.vault.request('POST', `auth/token/roles/${ORDERS_ROLE}`, changes));
const registerAgain = async (lab: Lab) => {
  await lab.vault.request('DELETE', `auth/token/roles/${ORDERS_ROLE}`);
  await lab.register();
};

const TRAPS: readonly Trap[] = [
  {
    what: 'a token role without an entry',
    spoil: post('auth/token/roles/signet-acme.shop_ghost', { allowed_policies: 'signet-workload-15m' }),
    names: ['registration.orphan_role'],
    mend: remove('auth/token/roles/signet-acme.shop_ghost'),
  },
  {
    what: 'an entry without a token role',
    spoil: remove(`auth/token/roles/${ORDERS_ROLE}`),
    names: ['registration.no_role'],
    mend: registerAgain,
  },
  {
    what: 'a disabled entry whose role is there',
    spoil: (lab) => lab.register({ state: 'disabled' }),
    names: ['registration.disabled'],
    mend: registerAgain,
  },
  {
    what: 'an entry outside its tenant',
    spoil: (lab) => lab.register({ name: 'out', spiffe_id: 'spiffe://example.org/ns/other/sa/x' }),
    names: ['registration.outside'],
    mend: unregister('out'),
  },
  {
    what: 'an entry of a tenant that the layout does not have',
    spoil: (lab) => lab.register({ tenant: 'acme', name: 'up' }),
    names: ['registration.outside'],
    mend: async (lab) => {
      await remove('auth/token/roles/signet-acme_up')(lab);
      await remove('signet/metadata/entries/acme/up')(lab);
    },
  },
  {
    what: 'an entry with a lifetime that the layout does not have',
    spoil: (lab) => lab.register({ name: 'long', ttl: '24h' }),
    names: ['registration.ttl'],
    mend: unregister('long'),
  },
  {
    what: 'a document that is no entry',
    spoil: post('signet/data/entries/acme.shop/odd', { data: { a: 1 }, options: { cas: 0 } }),
    names: ['entry.unreadable'],
    mend: remove('signet/metadata/entries/acme.shop/odd'),
  },
  {
    what: 'an entry in the place of another',
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'signet/data/entries/acme.shop/orders');
      await post('signet/data/entries/acme.shop/copy', { data: body.data.data, options: { cas: 0 } })(lab);
    },
    names: ['entry.misplaced'],
    mend: remove('signet/metadata/entries/acme.shop/copy'),
  },
  {
    what: 'an entry where an earlier Signet put it, a folder to each part of its tenant',
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'signet/data/entries/acme.shop/orders');
      await post('signet/data/entries/acme/shop/orders', { data: body.data.data, options: { cas: 0 } })(lab);
    },
    names: ['entry.misplaced'],
    mend: remove('signet/metadata/entries/acme/shop/orders'),
  },
  {
    what: 'a role with a star for aliases',
    spoil: role({ allowed_entity_aliases: 'ns/shop/*' }),
    names: ['token-role.allowed_entity_aliases'],
    mend: registerAgain,
  },
  {
    what: 'a role with a second alias',
    spoil: role({ allowed_entity_aliases: [ORDERS_ALIAS, 'ns/shop/sa/web'] }),
    names: ['token-role.allowed_entity_aliases'],
    mend: registerAgain,
  },
  {
    what: 'a role with another policy',
    spoil: role({ allowed_policies: 'signet-workload-15m,signet-admin' }),
    names: ['token-role.allowed_policies'],
    mend: registerAgain,
  },
  {
    what: 'a role without a policy',
    spoil: role({ allowed_policies: '' }),
    names: ['token-role.allowed_policies'],
    mend: registerAgain,
  },
  {
    what: 'a role with a glob of policies',
    spoil: role({ allowed_policies_glob: 'signet-*' }),
    names: ['token-role.allowed_policies_glob'],
    mend: registerAgain,
  },
  {
    what: 'a role with many uses',
    spoil: role({ token_num_uses: 0 }),
    names: ['token-role.token_num_uses'],
    mend: registerAgain,
  },
  {
    what: 'a role with a parent',
    spoil: role({ orphan: false }),
    names: ['token-role.orphan'],
    mend: registerAgain,
  },
  {
    what: 'a role with renewal',
    spoil: role({ renewable: true }),
    names: ['token-role.renewable'],
    mend: registerAgain,
  },
  {
    what: 'a role with a long life',
    spoil: role({ token_explicit_max_ttl: '24h' }),
    names: ['token-role.token_explicit_max_ttl'],
    mend: registerAgain,
  },
  {
    what: 'a role with a period',
    spoil: role({ token_period: '1h', token_explicit_max_ttl: '5m' }),
    names: ['token-role.token_period'],
    mend: registerAgain,
  },
  {
    what: 'a role with the default policy',
    spoil: role({ token_no_default_policy: false }),
    names: ['token-role.token_no_default_policy'],
    mend: registerAgain,
  },
  {
    what: 'a role bound to networks that the entry does not name',
    spoil: role({ token_bound_cidrs: '10.0.0.0/8' }),
    names: ['token-role.token_bound_cidrs'],
    mend: registerAgain,
  },
  {
    what: "a role of somebody else's that gives out Signet's policies",
    spoil: post('auth/token/roles/theirs', { allowed_policies: 'signet-workload-15m' }),
    names: ['token-role.foreign'],
    mend: remove('auth/token/roles/theirs'),
  },
  {
    what: "a role of somebody else's that gives out all policies",
    spoil: post('auth/token/roles/theirs', { allowed_policies_glob: '*' }),
    names: ['token-role.foreign'],
    mend: remove('auth/token/roles/theirs'),
  },
  {
    what: "a role of somebody else's that gives out identities",
    spoil: post('auth/token/roles/theirs', { allowed_entity_aliases: 'ns/*' }),
    names: ['token-role.foreign'],
    mend: remove('auth/token/roles/theirs'),
  },
];

describe('doctor, on a real Vault, names a registration:', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
    await lab.register();
    await lab.register({ name: 'net', networks: ['10.0.0.0/8', '192.0.2.7/32', '2001:db8::1/128'] });
  });
  after(() => lab[Symbol.asyncDispose]());

  itNames(TRAPS, () => lab);
});
