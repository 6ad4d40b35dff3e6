import { readFileSync } from 'node:fs';
import { callerOf } from '../../lib/adapter/caller.ts';
import type { VaultCaller } from '../../lib/adapter/documents.ts';
import { createVault, VaultError } from '../../lib/adapter/vault.ts';
import { SignetError } from '../../lib/errors.ts';
import type { Secret } from '../../lib/secret.ts';
import { formed, textOf } from './checks.ts';
import { type Attribute, ProviderError, problem, type Values } from './plugin/index.ts';

/** Whoever signs policies speaks to Vault itself: a broker that was shown an author's token could sign what it likes. */
export type Author = VaultCaller;

export const AUTHOR_ATTRIBUTES: { readonly [name: string]: Attribute } = {
  vault_address: {
    type: 'string',
    optional: true,
    validate: formed(/^https?:\/\/[^/?#@\s]+\/?$/, 'It is https://, a host and perhaps a port.'),
    description:
      'Vault, which `signet_policy` alone speaks to: no broker is shown the token of an author. Without it, `VAULT_ADDR`.',
  },
  vault_ca: {
    type: 'string',
    optional: true,
    description:
      "The authorities for Vault's certificate: PEM. Without it, the file that `VAULT_CACERT` names, or else those that Node.js ships.",
  },
};

/**
 * `own`: the token that the person gave; undefined where the run goes by a delegation, which registers and signs nothing.
 * @throws ProviderError that names the attribute
 */
export function openAuthor(config: Values, env: NodeJS.ProcessEnv, own: Secret | undefined): Author {
  const fault = (summary: string, detail: string, name: string) =>
    new ProviderError(problem(summary, `${detail} It is about ${name} of the provider.`, [name]));
  if (own === undefined)
    throw fault(
      'A delegation signs no policies',
      "signet_policy needs the author's own Vault token: use a second provider configuration (alias) for it.",
      'vault_token',
    );
  const address = textOf(config['vault_address']) ?? env['VAULT_ADDR'];
  if (!address)
    throw fault(
      'vault_address is not set',
      'Set it, or the environment variable VAULT_ADDR.',
      'vault_address',
    );
  const { VAULT_CACERT: file, VAULT_NAMESPACE: namespace } = env;
  let caCert = textOf(config['vault_ca']);
  try {
    if (caCert === undefined && file) caCert = readFileSync(file, 'utf8');
  } catch (error) {
    const code = String((error as NodeJS.ErrnoException).code);
    throw fault('vault_ca cannot be used', `VAULT_CACERT: ${code}.`, 'vault_ca');
  }
  try {
    const vault = createVault({ address, ...(caCert && { caCert }), ...(namespace && { namespace }) });
    return callerOf(vault, own);
  } catch (error) {
    if (!(error instanceof SignetError)) throw error;
    throw fault('vault_address cannot be used', `${error.message}.`, 'vault_address');
  }
}

/** What a person is told of what Vault did not do. Anything else passes as it is. */
export function toldOfVault(error: unknown): unknown {
  if (!(error instanceof SignetError)) return error;
  if (error instanceof VaultError && error.code === 'VAULT_DENIED')
    return new ProviderError(
      problem(
        'This token may not publish policies',
        'It needs the policy signet-author, and to be alive (VAULT_DENIED).',
      ),
      { cause: error },
    );
  return new ProviderError(problem('The policies were not published', `${error.message} (${error.code}).`), {
    cause: error,
  });
}
