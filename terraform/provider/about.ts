import { field } from '../../lib/adapter/exchange.ts';
import { bundleToPem, parseBundle } from '../../lib/svid/index.ts';
import { Refusal } from './broker.ts';
import type { Client } from './client.ts';
import { type DataSource, ProviderError, problem } from './plugin/index.ts';

/** What anyone may ask of the broker: whether it is ready, and whom the trust domain believes. */
export const status: DataSource<Client> = {
  name: 'signet_status',
  schema: {
    description: 'Whether the broker can give grants now, and if not, what it waits for.',
    attributes: {
      ready: { type: 'bool', computed: true, description: 'Whether it can.' },
      waiting_for: { type: { list: 'string' }, computed: true, description: 'What it waits for.' },
    },
  },
  async read({ client, signal }) {
    const body = await client.broker
      .call('GET', '/readyz', { signal, once: true })
      .catch((error: unknown) => {
        if (error instanceof Refusal && error.status === 503) return error.body;
        throw error instanceof Refusal ? refused(error) : error;
      });
    const waiting = field(body, 'waiting_for');
    const list = Array.isArray(waiting) ? waiting.map(String) : ['an answer that can be read'];
    return { ready: list.length === 0, waiting_for: list };
  },
};

export const bundle: DataSource<Client> = {
  name: 'signet_bundle',
  schema: {
    description: "The trust domain's authorities.",
    attributes: {
      trust_domain: { type: 'string', computed: true, description: 'The trust domain.' },
      json: { type: 'string', computed: true, description: 'As a SPIFFE bundle (JWK set).' },
      certificates: { type: { list: 'string' }, computed: true, description: 'The authorities as PEM.' },
    },
  },
  async read({ client, signal }) {
    const document = await client.broker.call('GET', '/v1/bundle', { signal }).catch((error: unknown) => {
      throw error instanceof Refusal ? refused(error) : error;
    });
    return {
      trust_domain: client.trustDomain,
      json: JSON.stringify(document),
      certificates: bundleToPem(parseBundle(client.trustDomain, document)),
    };
  },
};

function refused({ message, code }: Refusal): ProviderError {
  return new ProviderError(problem('The broker refused', `${message} (${code}).`));
}
