import type { Author } from './author.ts';
import { type Broker, type Method, Refusal } from './broker.ts';
import type { Credential, Right } from './credential.ts';
import { type Path, ProviderError, problem } from './plugin/index.ts';

/** What resources are written with: the broker, and the right to ask it. */
export interface Client {
  readonly trustDomain: string;
  readonly broker: Broker;
  /** One call with the run's right. @throws Refusal, ProviderError */
  call(
    method: Method,
    path: string,
    asking: { readonly body?: object; readonly signal: AbortSignal },
  ): Promise<unknown>;
  readonly credential: Credential;
  /** Vault itself, by the author's own token, for what brokers may not do. @throws ProviderError that names the attribute */
  author(): Author;
}

export function createClient(
  trustDomain: string,
  broker: Broker,
  credential: Credential,
  author: () => Author,
): Client {
  return {
    trustDomain,
    broker,
    credential,
    author,
    async call(method, path, { body, signal }) {
      const { token } = await credential.right(signal);
      return await broker.call(method, path, { token, signal, ...(body && { body }) });
    },
  };
}

/** What a resource writes: its names, and where in the configuration each field of the body stands. */
export interface Written {
  readonly what: string;
  readonly tenant: string;
  readonly name: string;
  /** The ID that it gives, as far as it gives one. */
  readonly spiffeId?: string;
  /** The attribute for a JSON pointer of the body. */
  pathOf(pointer: string): Path | undefined;
}

/** A refusal as it is told to the person, at the attribute that it is about. Anything else passes as it is. */
export function told(error: unknown, written: Written, right: Right | undefined): unknown {
  if (!(error instanceof Refusal)) return error;
  const { code, message, defects } = error;
  const { what, name, tenant } = written;
  const one = (summary: string, detail: string, path?: Path) =>
    new ProviderError(problem(summary, detail, path), { cause: error });
  switch (code) {
    case 'malformed':
      if (defects.length === 0) break;
      return new ProviderError(
        defects.map((each) =>
          problem(
            `${what}: a value that the broker does not take`,
            `It ${each.message} (${each.pointer || '/'}).`,
            written.pathOf(each.pointer),
          ),
        ),
        { cause: error },
      );
    case 'entry_exists':
      return one(
        `There is a ${tenant}/${name} already, which differs`,
        `${message}. If it is to be kept by this configuration, import it: tofu import ADDRESS ${tenant}/${name}`,
        ['name'],
      );
    case 'entry_overlaps':
      return one(
        'A workload could be taken for two',
        `${message}. Add a selector that tells the two apart.`,
        written.pathOf('/match'),
      );
    case 'vault_denied':
      return denied(error, written, right);
    case 'token_missing':
      return one('The token is none', 'The broker takes a Vault token as it is: one word.');
  }
  return one(`${what}: refused`, `${message} (${code}).`);
}

/** Vault tells nobody why. What a delegation gives is known, so what was outside of it is. */
function denied(
  error: Refusal,
  { tenant, name, spiffeId, pathOf }: Written,
  right: Right | undefined,
): ProviderError {
  const bounds = right?.bounds;
  const one = (detail: string, path?: Path) =>
    new ProviderError(problem('This run may not do that', `${detail} (vault_denied).`, path), {
      cause: error,
    });
  if (bounds === undefined)
    return one('Vault denies it to this token: it needs a registrar of the tenant', ['tenant']);
  if (bounds.access !== 'write')
    return one('The token of a plan phase looks, and writes nothing: apply needs the token of its own phase');
  if (tenant !== bounds.tenant) return one(`The delegation is for the tenant ${bounds.tenant}`, ['tenant']);
  if (!name.startsWith(bounds.entries))
    return one(`The delegation is for names that begin with ${bounds.entries}`, ['name']);
  const path = spiffeId?.replace(/^spiffe:\/\/[^/]*\//, '');
  if (path !== undefined && !bounds.idPrefixes.some((prefix) => path.startsWith(prefix)))
    return one(`The delegation is for IDs below ${bounds.idPrefixes.join(', ')}`, pathOf('/spiffe_id'));
  return one(
    'Vault denies it to what the delegation gives: the lifetime may be none of its layout',
    pathOf('/ttl'),
  );
}
