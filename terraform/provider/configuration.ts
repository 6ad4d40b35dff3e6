import { readFileSync } from 'node:fs';
import { Secret } from '../../lib/secret.ts';
import { parseTrustDomain } from '../../lib/spiffe/index.ts';
import { AUTHOR_ATTRIBUTES, type Author, openAuthor } from './author.ts';
import { openBroker } from './broker.ts';
import { formed, textOf, textsOf } from './checks.ts';
import { type Client, createClient } from './client.ts';
import { type Credential, delegated, ownToken, type RunToken } from './credential.ts';
import {
  type Attribute,
  type ConfigureRequest,
  type Diagnostic,
  ProviderError,
  problem,
  UNKNOWN,
  type Values,
} from './plugin/index.ts';

const RUN_TOKEN = 'TFC_WORKLOAD_IDENTITY_TOKEN';
const isWord = formed(/^[\x21-\x7e]{1,16384}$/, 'It is one word of printable characters.');

export const PROVIDER_ATTRIBUTES: { readonly [name: string]: Attribute } = {
  broker: {
    type: 'string',
    optional: true,
    validate: formed(/^https:\/\/[^/?#@\s]+\/?$/, 'It is https://, a host and perhaps a port.'),
    description:
      "The broker's address, such as `https://signet.example.org:8555`. Without it, `SIGNET_BROKER_URL`.",
  },
  broker_ca: {
    type: 'string',
    optional: true,
    validate: (value) =>
      /-----BEGIN CERTIFICATE-----/.test(String(value)) && !/PRIVATE KEY/.test(String(value))
        ? undefined
        : 'It is certificates as PEM, and no key.',
    description:
      'The authority that the broker is known by: PEM. Without it, the file that `SIGNET_BROKER_CA` names. The machine’s own authorities are never believed.',
  },
  trust_domain: {
    type: 'string',
    optional: true,
    validate: formed(/^[a-z0-9._-]{1,255}$/, 'It is a trust domain, such as example.org.'),
    description: 'The trust domain. Without it, `SIGNET_TRUST_DOMAIN`.',
  },
  vault_token: {
    type: 'string',
    optional: true,
    sensitive: true,
    validate: isWord,
    description:
      "The operator's own Vault token, of a registrar. Without it, and without `delegation`, `VAULT_TOKEN`.",
  },
  ...AUTHOR_ATTRIBUTES,
  delegation: {
    type: 'string',
    optional: true,
    validate: formed(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'It is the name of a delegation.'),
    description:
      "The delegation by which the run's own OIDC token gives the right to register. Without it, `SIGNET_DELEGATION`.",
  },
  token: {
    type: 'string',
    optional: true,
    sensitive: true,
    validate: isWord,
    description: `The run's OIDC token, which is good once. Without it, and without the next two, the variable that \`token_variable\` names.`,
  },
  token_file: {
    type: 'string',
    optional: true,
    description: 'A file that holds it, read whenever one is needed.',
  },
  token_command: {
    type: { list: 'string' },
    optional: true,
    description:
      'A program and its arguments that print one, run whenever one is needed. No shell is between.',
  },
  token_variable: {
    type: 'string',
    optional: true,
    validate: formed(/^[A-Z_][A-Z0-9_]{0,127}$/, 'It is the name of an environment variable.'),
    description: `The environment variable that holds it: \`${RUN_TOKEN}\` if not set. For a second token of HCP Terraform, \`${RUN_TOKEN}_<TAG>\`.`,
  },
};

const SOURCES = ['token', 'token_file', 'token_command', 'token_variable'] as const;

/** What is wrong with the whole of it, as far as that is known. */
export function validateProvider(config: Values): Diagnostic[] {
  const set = (name: string) => (config[name] ?? null) !== null;
  const sources = SOURCES.filter(set);
  const flaws = sources
    .slice(1)
    .map((name) => problem('More than one token', `${sources[0]} is set already.`, [name]));
  if (set('vault_token') && set('delegation'))
    flaws.push(
      problem('Two rights', "A run registers by its delegation, or with the operator's own vault_token.", [
        'vault_token',
      ]),
    );
  if (set('vault_token') && sources[0] !== undefined)
    flaws.push(problem('Two rights', 'vault_token needs no token of the run.', [sources[0]]));
  const command = config['token_command'];
  if (Array.isArray(command) && command.length === 0)
    flaws.push(problem('No command', 'Name a program.', ['token_command']));
  return flaws;
}

/** Asks nobody: what cannot be right is told when it is used. @throws ProviderError naming every attribute that is missing */
export async function configure({ config }: Pick<ConfigureRequest, 'config'>): Promise<Client | undefined> {
  if (Object.values(config).includes(UNKNOWN)) return undefined;
  const { env } = process;
  const missing: Diagnostic[] = [];
  const demand = <T>(
    name: string,
    variable: string,
    value: string | undefined,
    parse: (text: string) => T,
  ) => {
    if (!value) {
      missing.push(problem(`${name} is not set`, `Set it, or the environment variable ${variable}.`, [name]));
      return undefined;
    }
    try {
      return parse(value);
    } catch (error) {
      const code = String((error as NodeJS.ErrnoException).code ?? 'it is none');
      missing.push(problem(`${name} cannot be used`, `${variable}: ${code}.`, [name]));
      return undefined;
    }
  };
  const text = (name: string) => textOf(config[name]);
  const url = demand('broker', 'SIGNET_BROKER_URL', text('broker') ?? env['SIGNET_BROKER_URL'], httpsUrl);
  const ca =
    text('broker_ca') ??
    demand('broker_ca', 'SIGNET_BROKER_CA', env['SIGNET_BROKER_CA'], (file) => readFileSync(file, 'utf8'));
  const trustDomain = demand(
    'trust_domain',
    'SIGNET_TRUST_DOMAIN',
    text('trust_domain') ?? env['SIGNET_TRUST_DOMAIN'],
    parseTrustDomain,
  );
  if (url === undefined || ca === undefined || trustDomain === undefined) throw new ProviderError(missing);
  const broker = openBroker({ url, ca, trustDomain });
  const own = text('vault_token');
  const delegation =
    text('delegation') ?? (own === undefined ? env['SIGNET_DELEGATION'] || undefined : undefined);
  const token = delegation === undefined ? operatorToken(own ?? env['VAULT_TOKEN']) : undefined;
  const credential: Credential =
    delegation === undefined || token !== undefined
      ? ownToken(token!)
      : delegated(broker, delegation, runToken(config, env));
  let author: Author | undefined;
  return createClient(trustDomain, broker, credential, () => {
    author ??= openAuthor(config, env, token);
    return author;
  });
}

function operatorToken(text: string | undefined): Secret {
  if (!text)
    throw new ProviderError(
      problem(
        'No right to register',
        "Set delegation, with the run's own token, or vault_token (or the environment variable VAULT_TOKEN), of a registrar.",
        ['delegation'],
      ),
    );
  if (/^[\x21-\x7e]+$/.test(text)) return new Secret(text);
  throw new ProviderError(
    problem('vault_token is no token', 'It is one word of printable characters.', ['vault_token']),
  );
}

function runToken(config: Values, env: NodeJS.ProcessEnv): RunToken {
  const token = textOf(config['token']);
  if (token !== undefined) return { kind: 'value', from: 'token', token: new Secret(token), path: ['token'] };
  const file = textOf(config['token_file']);
  if (file !== undefined) return { kind: 'file', file, path: ['token_file'] };
  const command = textsOf(config['token_command']);
  if (command.length > 0) return { kind: 'command', command, path: ['token_command'] };
  const named = textOf(config['token_variable']);
  const variable = named ?? RUN_TOKEN;
  const path = [named === undefined ? 'delegation' : 'token_variable'];
  const given = env[variable];
  if (given)
    return { kind: 'value', from: `The environment variable ${variable}`, token: new Secret(given), path };
  throw new ProviderError(
    problem(
      'The run has no token',
      `Set token, token_file or token_command, or the environment variable ${variable}.`,
      path,
    ),
  );
}

function httpsUrl(text: string): URL {
  const url = new URL(text);
  if (url.protocol !== 'https:') throw Object.assign(new Error(), { code: 'it begins with https://' });
  return url;
}
