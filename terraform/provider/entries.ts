import { isDeepStrictEqual } from 'node:util';
import { type Entry, parseEntryRef } from '../../lib/attestation/index.ts';
import { Refusal } from './broker.ts';
import { isInstant, isLifetime, isName, isSpiffeId, isTenant, textOf, textsOf } from './checks.ts';
import { type Client, told, type Written } from './client.ts';
import { type Attribute, type Path, ProviderError, problem, type Values } from './plugin/index.ts';

/** An entry as it is written: its state is the broker's. */
export type Content = Omit<Entry, 'state'>;

/** What every resource that is an entry has. */
export const ENTRY_ATTRIBUTES: { readonly [name: string]: Attribute } = {
  id: {
    type: 'string',
    computed: true,
    useStateForUnknown: true,
    description: 'Tenant and name: `acme/shop/orders`.',
  },
  tenant: {
    type: 'string',
    required: true,
    requiresReplace: true,
    validate: isTenant,
    description: 'Whose it is: one to four names, such as `acme/shop`.',
  },
  name: {
    type: 'string',
    required: true,
    requiresReplace: true,
    validate: isName,
    description: 'Its name within the tenant: 1 to 63 of `a-z`, `0-9` and `-`.',
  },
  spiffe_id: {
    type: 'string',
    required: true,
    validate: isSpiffeId,
    description:
      'The SPIFFE ID that it gives, in the trust domain of the provider. A path segment may be a selector in braces: `/host/{ssh-host:principal}`.',
  },
  ttl: {
    type: 'string',
    default: '15m',
    validate: isLifetime,
    description: 'How long an SVID lives: one of the lifetimes of the Vault layout.',
  },
  networks: {
    type: { set: 'string' },
    default: [],
    description: 'Networks (CIDR) from which SVIDs may be asked for; none means any. Vault holds to it.',
  },
  federates_with: {
    type: { set: 'string' },
    default: [],
    description: 'Trust domains whose bundles it is given too.',
  },
  enabled: {
    type: 'bool',
    default: true,
    description: 'Whether it gives identities. Disabled, it stays and is refused, by Vault too.',
  },
  appear_by: {
    type: 'string',
    optional: true,
    validate: isInstant,
    description:
      'A time in UTC, such as `2030-01-31T12:00:00Z`: whoever has not shown up by then is refused for good. Whoever has may come again at any time.',
  },
};

/** What a call is told by, and how long it may take. */
export type How = { readonly write: Written; readonly signal: AbortSignal };

/** Entries at the broker, for the resources and data sources that are entries. */
export async function readEntry(client: Client, id: string, signal: AbortSignal): Promise<Entry | undefined> {
  try {
    return (await client.call('GET', pathOf(id), { signal })) as Entry;
  } catch (error) {
    if (error instanceof Refusal && error.code === 'entry_not_found') return undefined;
    throw await explained(client, error, written('entry', split(id), undefined), signal);
  }
}

/**
 * The same call again completes what was cut off, and finds what is there already. `mayDiffer` names fields in which what a call that was cut
 * off left may differ: those that are reckoned from the time.
 */
export async function createEntry(
  client: Client,
  entry: Content,
  enabled: boolean,
  how: How & { readonly mayDiffer?: readonly (keyof Content)[] },
): Promise<Entry> {
  const { signal, write, mayDiffer = [] } = how;
  const id = idOf(entry);
  try {
    const made = (await client.call('POST', '/v1/entries', { body: entry, signal })) as Entry;
    return enabled ? made : await setEnabled(client, id, false, signal);
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'entry_exists'))
      throw await explained(client, error, write, signal);
    const there = await readEntry(client, id, signal);
    const differing = there && differences(there, entry);
    if (there && differing?.length === 0 && there.state === 'disabled' && !enabled) return there;
    if (there?.state === 'active' && differing?.every((field) => mayDiffer.includes(field)))
      return await replaceEntry(client, entry, enabled, how);
    throw await explained(client, error, write, signal);
  }
}

function differences(there: Entry, wanted: Content): (keyof Content)[] {
  const fields = ['match', 'spiffe_id', 'ttl', 'networks', 'federates_with', 'appear_by'] as const;
  return fields.filter((field) => !isDeepStrictEqual(sorted(there[field]), sorted(wanted[field])));
}

function sorted(value: unknown): unknown {
  return Array.isArray(value) ? value.toSorted() : value;
}

export async function replaceEntry(
  client: Client,
  { tenant, name, ...content }: Content,
  enabled: boolean,
  how: How,
): Promise<Entry> {
  const { signal, write } = how;
  const id = idOf({ tenant, name });
  try {
    const before = (await client.call('GET', pathOf(id), { signal })) as Entry;
    // Off before it may say more, and on only when it says what it shall.
    if (!enabled && before.state === 'active') await setEnabled(client, id, false, signal);
    const now = (await client.call('PUT', pathOf(id), { body: content, signal })) as Entry;
    return enabled && now.state === 'disabled' ? await setEnabled(client, id, true, signal) : now;
  } catch (error) {
    throw await explained(client, error, write, signal);
  }
}

export async function removeEntry(client: Client, id: string, signal: AbortSignal): Promise<void> {
  try {
    await client.call('DELETE', pathOf(id), { signal });
  } catch (error) {
    if (error instanceof Refusal && error.code === 'entry_not_found') return;
    throw await explained(client, error, written('entry', split(id), undefined), signal);
  }
}

async function setEnabled(client: Client, id: string, enabled: boolean, signal: AbortSignal): Promise<Entry> {
  return (await client.call('POST', `${pathOf(id)}/${enabled ? 'enable' : 'disable'}`, {
    body: {},
    signal,
  })) as Entry;
}

/** What a person is told of a failure. */
export async function explained(
  client: Client,
  error: unknown,
  write: Written,
  signal: AbortSignal,
): Promise<unknown> {
  const denied = error instanceof Refusal && error.code === 'vault_denied';
  return told(error, write, denied ? await client.credential.right(signal) : undefined);
}

export function written(
  what: string,
  { tenant, name }: Pick<Entry, 'tenant' | 'name'>,
  spiffeId: string | undefined,
  attributes: (pointer: string) => Path | undefined = () => undefined,
): Written {
  return {
    what,
    tenant,
    name,
    ...(spiffeId !== undefined && { spiffeId }),
    pathOf: (pointer) => attributes(pointer) ?? attributeOf(pointer),
  };
}

/** `/networks/0` is of `networks`, whose elements have no place. */
function attributeOf(pointer: string): Path | undefined {
  const first = pointer.split('/')[1] ?? '';
  return Object.hasOwn(ENTRY_ATTRIBUTES, first) ? [first] : undefined;
}

/** What an entry says of the attributes that all have. */
export function entryValues(entry: Entry): Values {
  const { tenant, name, spiffe_id, ttl, networks, federates_with, state, appear_by } = entry;
  return {
    ...{ id: idOf(entry), tenant, name, spiffe_id, ttl, networks, federates_with },
    enabled: state !== 'disabled',
    appear_by: appear_by ?? null,
  };
}

/** The entry that a plan wants, but for what its workload must show. */
export function contentOf(planned: Values, match: Readonly<Record<string, string>>): Content {
  const appearBy = textOf(planned['appear_by']);
  return {
    tenant: textOf(planned['tenant']) ?? '',
    name: textOf(planned['name']) ?? '',
    match,
    spiffe_id: textOf(planned['spiffe_id']) ?? '',
    ttl: textOf(planned['ttl']) ?? '',
    networks: textsOf(planned['networks']),
    federates_with: textsOf(planned['federates_with']),
    ...(appearBy !== undefined && { appear_by: appearBy }),
  };
}

export function idOf({ tenant, name }: Pick<Entry, 'tenant' | 'name'>): string {
  return `${tenant}/${name}`;
}

/** @throws ProviderError for an id that is none */
export function split(id: string): { readonly tenant: string; readonly name: string } {
  const named = parseEntryRef(id);
  if (named) return named;
  throw new ProviderError(
    problem('That is no entry', `${JSON.stringify(id)} is not tenant/name, such as acme/shop/orders.`),
  );
}

function pathOf(id: string): string {
  const { tenant, name } = split(id);
  return `/v1/entries/${tenant.replaceAll('/', '.')}/${name}`;
}
