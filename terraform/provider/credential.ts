import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { field } from '../../lib/adapter/exchange.ts';
import { Secret } from '../../lib/secret.ts';
import { type Broker, Refusal } from './broker.ts';
import { type Path, ProviderError, problem } from './plugin/index.ts';

/** Where a run's OIDC token comes from. Each is good once, so what can give another is asked anew. */
export type RunToken =
  | { readonly kind: 'value'; readonly from: string; readonly token: Secret; readonly path?: Path }
  | { readonly kind: 'file'; readonly file: string; readonly path?: Path }
  | { readonly kind: 'command'; readonly command: readonly string[]; readonly path?: Path };

/** The right to register, in memory only. */
export interface Right {
  readonly token: Secret;
  /** What a delegation gives; undefined for the operator's own token, of which only Vault knows. */
  readonly bounds?: {
    readonly access: string;
    readonly tenant: string;
    readonly idPrefixes: readonly string[];
    /** How the names of its entries begin. */
    readonly entries: string;
  };
}

export interface Credential {
  /** @throws ProviderError that names the attribute; Refusal when the broker is busy */
  right(signal: AbortSignal): Promise<Right>;
}

/** The operator's own Vault token. */
export function ownToken(token: Secret): Credential {
  return { right: async () => ({ token }) };
}

const COMMAND = { timeout: 60_000, maxBuffer: 64 * 1024, encoding: 'utf8' } as const;
const FORM = /^[\x21-\x7e]{16,16384}$/;
const run = promisify(execFile);

/**
 * What a run's token is turned into at the broker, when it is first needed: a plan that has nothing to look at spends none. It is good for
 * this process alone, which asks once, however many resources wait for it.
 */
export function delegated(broker: Broker, delegation: string, source: RunToken): Credential {
  let asked: Promise<Right> | undefined;
  return {
    right(signal) {
      asked ??= redeem(broker, delegation, source, signal).catch((error: unknown) => {
        // Nothing was spent where no answer was a refusal of the token; the next that needs it may try.
        if (source.kind !== 'value' || (error instanceof Refusal && error.status === 503)) asked = undefined;
        throw error;
      });
      return asked;
    },
  };
}

async function redeem(
  broker: Broker,
  delegation: string,
  source: RunToken,
  signal: AbortSignal,
): Promise<Right> {
  const token = await tokenOf(source, signal);
  const path = `/v1/delegations/${encodeURIComponent(delegation)}`;
  try {
    const body = { token: token.reveal() };
    const answer = await broker.call('POST', path, { body, signal, once: true });
    const given = field(answer, 'token');
    if (typeof given !== 'string')
      throw new ProviderError(problem('The broker gave no token', undefined, ['broker']));
    const text = (name: string) => String(field(answer, name) ?? '');
    const prefixes = field(answer, 'id_prefixes');
    return {
      token: new Secret(given),
      bounds: {
        ...{ access: text('access'), tenant: text('tenant'), entries: text('entries') },
        idPrefixes: Array.isArray(prefixes) ? prefixes.map(String) : [],
      },
    };
  } catch (error) {
    throw error instanceof Refusal ? refused(error, delegation, source) : error;
  }
}

async function tokenOf(source: RunToken, signal: AbortSignal): Promise<Secret> {
  const text = await textOf(source, signal);
  if (FORM.test(text)) return new Secret(text);
  throw fault(
    'That is not a token',
    `${named(source)} holds none: one word of printable characters.`,
    pathOf(source),
  );
}

async function textOf(source: RunToken, signal: AbortSignal): Promise<string> {
  if (source.kind === 'value') return source.token.reveal();
  try {
    if (source.kind === 'file') return (await readFile(source.file, { encoding: 'utf8', signal })).trim();
    const [program = '', ...args] = source.command;
    return (await run(program, args, { ...COMMAND, signal })).stdout.trim();
  } catch (error) {
    signal.throwIfAborted();
    // What a command printed is not told: it may be half of a token.
    const { code } = error as { code?: unknown };
    throw fault(
      'The run has no token',
      `${named(source)} failed: ${String(code ?? 'it was ended')}.`,
      pathOf(source),
    );
  }
}

function named(source: RunToken): string {
  switch (source.kind) {
    case 'value':
      return source.from;
    case 'file':
      return `The file ${source.file}`;
    case 'command':
      return `The command ${source.command[0]}`;
  }
}

function pathOf({ path }: RunToken): Path {
  return path ?? ['delegation'];
}

/**
 * A token is shown when a resource first needs it, and Terraform then points at that resource, in which no such path is: the text says which
 * attribute of the provider it is.
 */
function fault(summary: string, detail: string, path: Path): ProviderError {
  return new ProviderError(problem(summary, `${detail} It is about ${path[0]} of the provider.`, path));
}

const ADVICE: Readonly<Record<string, readonly [summary: string, detail: string]>> = {
  run_token_spent: [
    'The token was shown before',
    'It is good once, and each plan or apply that asks the broker needs one: give plan and apply a token each, or token_command, which is asked for another.',
  ],
  run_token_expired: ['The token has run out', 'Give the run a new one.'],
  run_token_audience: [
    'The token is for others',
    "Have it issued for the delegation's audience, and for no other.",
  ],
  run_token_issuer: ['The token is of another issuer', "The delegation's issuer is not the token's iss."],
  run_token_invalid: [
    'The token is none that the issuer signed for this',
    'The broker tells why in its log (run_refused), by the correlation id.',
  ],
};

function refused(refusal: Refusal, delegation: string, source: RunToken): Error {
  if (refusal.code === 'run_not_delegated')
    return fault(
      'Nothing is delegated to this run',
      `There is no delegation ${delegation}, or it is for another organisation, project, workspace or phase than the token says (run_not_delegated). The broker tells which in its log (run_refused).`,
      ['delegation'],
    );
  const advice = ADVICE[refusal.code];
  if (advice === undefined)
    return refusal.status === 503 || refusal.status === 429
      ? refusal
      : fault('The broker refused the token', `${refusal.message} (${refusal.code}).`, pathOf(source));
  return fault(advice[0], `${advice[1]} (${refusal.code})`, pathOf(source));
}
