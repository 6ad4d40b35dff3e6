import { Refusal } from './broker.ts';
import { formed, isName, isSpiffeId, isTenant, textOf, textsOf } from './checks.ts';
import type { Client } from './client.ts';
import { explained, idOf, split } from './entries.ts';
import { ProviderError, problem, type ResourceType, type Values } from './plugin/index.ts';

type Service = {
  readonly tenant: string;
  readonly name: string;
  readonly host: string;
  readonly addresses: readonly string[];
  readonly spiffe_ids: readonly string[];
};

/** A name that apps call, where it is, and who may answer there. */
export const service: ResourceType<Client> = {
  name: 'signet_service',
  schema: {
    description:
      'A service that sidecars call by its name: where it is, and which SPIFFE IDs may answer there. Changes reach sidecars within seconds.',
    attributes: {
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
      host: {
        type: 'string',
        required: true,
        validate: formed(
          /^(?=.{3,253}$)[a-z0-9-]+(?:\.[a-z0-9-]+)+$/,
          'A host is a lower-case name of two or more parts, such as orders.internal.',
        ),
        description: 'What apps ask for: `orders.internal`. One in the trust domain.',
      },
      addresses: {
        type: { set: 'string' },
        required: true,
        description:
          'Where its sidecars listen: at most 64 of an IP address and a port, such as `10.0.0.5:8443`. None: nobody answers at present.',
      },
      spiffe_ids: {
        type: { set: 'string' },
        required: true,
        validate: (value) => {
          if (!Array.isArray(value) || value.length === 0) return 'It is empty: nobody could answer.';
          return value.map((each) => isSpiffeId(String(each))).find((flaw) => flaw !== undefined);
        },
        description: 'Who may answer at any of them: 1 to 16 SPIFFE IDs.',
      },
    },
  },
  timeouts: { create: 120_000, read: 60_000, update: 120_000, delete: 120_000 },
  async create({ client, planned, signal }) {
    const wanted = serviceOf(planned);
    const there = await read(client, idOf(wanted), signal);
    // What a call that was cut off left behind is what is wanted; anything else is somebody's.
    if (there && JSON.stringify(sorted(there)) !== JSON.stringify(sorted(wanted)))
      throw new ProviderError(
        problem(
          `There is a ${idOf(wanted)} already, which differs`,
          `If it is to be kept by this configuration, import it: tofu import ADDRESS ${idOf(wanted)}`,
          ['name'],
        ),
      );
    return { state: await put(client, wanted, signal) };
  },
  async read({ client, state, signal }) {
    const found = await read(client, String(state['id']), signal);
    return found && { state: stateOf(found) };
  },
  update: async ({ client, planned, signal }) => ({ state: await put(client, serviceOf(planned), signal) }),
  async remove({ client, state, signal }) {
    try {
      await client.call('DELETE', pathOf(String(state['id'])), { signal });
    } catch (error) {
      if (isGone(error)) return;
      throw await explained(client, error, writtenOf(split(String(state['id']))), signal);
    }
  },
  async import({ client, id, signal }) {
    const found = await read(client, id, signal);
    if (found === undefined) throw new ProviderError(problem(`There is no service ${id}`));
    return { state: stateOf(found) };
  },
};

async function read(client: Client, id: string, signal: AbortSignal): Promise<Service | undefined> {
  try {
    return (await client.call('GET', pathOf(id), { signal })) as Service;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw await explained(client, error, writtenOf(split(id)), signal);
  }
}

async function put(client: Client, { tenant, name, ...body }: Service, signal: AbortSignal): Promise<Values> {
  try {
    return stateOf((await client.call('PUT', pathOf(idOf({ tenant, name })), { body, signal })) as Service);
  } catch (error) {
    if (error instanceof Refusal && error.code === 'service_host_taken')
      throw new ProviderError(
        problem('The host is taken', `${error.message} (service_host_taken).`, ['host']),
      );
    throw await explained(client, error, writtenOf({ tenant, name }), signal);
  }
}

function writtenOf({ tenant, name }: Pick<Service, 'tenant' | 'name'>) {
  return {
    ...{ what: 'signet_service', tenant, name },
    pathOf: (pointer: string) => {
      const first = pointer.split('/')[1] ?? '';
      return Object.hasOwn(service.schema.attributes, first) ? [first] : undefined;
    },
  };
}

function isGone(error: unknown): boolean {
  return error instanceof Refusal && error.code === 'service_not_found';
}

function pathOf(id: string): string {
  const { tenant, name } = split(id);
  return `/v1/services/${tenant.replaceAll('/', '.')}/${name}`;
}

function serviceOf(planned: Values): Service {
  return {
    tenant: textOf(planned['tenant']) ?? '',
    name: textOf(planned['name']) ?? '',
    host: textOf(planned['host']) ?? '',
    addresses: textsOf(planned['addresses']),
    spiffe_ids: textsOf(planned['spiffe_ids']),
  };
}

function sorted({ tenant, name, host, addresses, spiffe_ids }: Service) {
  return [tenant, name, host, addresses.toSorted(), spiffe_ids.toSorted()];
}

function stateOf({ tenant, name, host, addresses, spiffe_ids }: Service): Values {
  return { id: idOf({ tenant, name }), tenant, name, host, addresses, spiffe_ids };
}
