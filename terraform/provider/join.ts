import { parseEntryRef } from '../../lib/attestation/index.ts';
import { textOf } from './checks.ts';
import type { Client } from './client.ts';
import { explained, split, written } from './entries.ts';
import { caution, type EphemeralResource, ProviderError, problem } from './plugin/index.ts';

/** A join code, in no plan and no state. */
export const join: EphemeralResource<Client> = {
  name: 'signet_join',
  schema: {
    description:
      'A one-time code with which one machine takes up a host that proves itself by `join`. It is in no plan and no state. A second use of it raises an alarm. Each run that opens it makes a new one.',
    attributes: {
      host: {
        type: 'string',
        required: true,
        validate: (value) =>
          parseEntryRef(String(value))
            ? undefined
            : 'It is tenant and name, such as acme/shop/vm-1: the id of the host.',
        description:
          'The `id` of the `signet_host`. Known only after apply when the host is new, so the code is made after it.',
      },
      ttl_seconds: {
        type: 'number',
        optional: true,
        validate: (value) =>
          Number.isInteger(value) && Number(value) >= 10 && Number(value) <= 86_400
            ? undefined
            : 'It is a whole number from 10 to 86400.',
        description: 'How long the code may wait to be used: 10 to 86400 seconds, 600 if not set.',
      },
      code: { type: 'string', computed: true, sensitive: true, description: 'The code.' },
      expires_at: { type: 'string', computed: true, description: 'Until when it may be used.' },
    },
  },
  async open({ client, config, signal, warn }) {
    const { tenant, name } = split(textOf(config['host']) ?? '');
    const ttl = config['ttl_seconds'];
    try {
      const { bounds } = await client.credential.right(signal);
      if (bounds?.access === 'read') {
        // A plan opens what it knows all about, and uses nothing of it.
        warn(caution('A plan makes no join code', 'The token of this phase only looks; apply makes it.'));
        return { result: { ...config, code: '', expires_at: '' } };
      }
      const path = `/v1/entries/${tenant.replaceAll('/', '.')}/${name}/join-code`;
      const body = typeof ttl === 'number' ? { ttl_seconds: ttl } : {};
      const made = (await client.call('POST', path, { body, signal })) as Made;
      return { result: { ...config, code: made.code, expires_at: made.expires_at } };
    } catch (error) {
      const told = await explained(
        client,
        error,
        written('signet_join', { tenant, name }, undefined),
        signal,
      );
      throw told instanceof ProviderError
        ? told
        : new ProviderError(problem('No join code was made'), { cause: told });
    }
  },
};

type Made = { readonly code: string; readonly expires_at: string };
