import { createHash } from 'node:crypto';
import { isVaultError } from '../../lib/adapter/documents.ts';
import type { Vault, VaultReply } from '../../lib/adapter/vault.ts';
import {
  entryRef,
  type JoinCode,
  parseEntryRef,
  parseJoinCode,
  selectors,
} from '../../lib/attestation/index.ts';
import { InputError } from '../../lib/errors.ts';
import { MOUNTS } from '../../lib/grant/index.ts';
import type { Alarms } from '../alarms.ts';
import type { Instances } from '../instances.ts';
import { joinPath } from '../join-codes.ts';
import { AttestationError, type AttestContext, type Attestor, type Verified } from './attestor.ts';

export type JoinDeps = { readonly vault: Vault; readonly instances: Instances; readonly alarms: Alarms };

/**
 * A machine proves itself with a one-time code: a document that a registrar wrote and read wrapped. Vault says who wrapped it (the
 * creation path, which only a registrar of that entry can make) and unwraps it once. It begins an instance, which is renewed with
 * its SVID.
 */
export function join(deps: JoinDeps): Attestor {
  const opened = createOpened();
  return {
    method: 'join',
    evidence: {
      type: 'object',
      properties: {
        code: { type: 'string', maxLength: 1024 },
        next_key: {
          type: 'string',
          pattern: '^[0-9a-f]{64}$',
          description: "SHA-256 of the SPKI of the SVID's key: the first renewal must then be shown with it",
        },
      },
      required: ['code'],
      additionalProperties: false,
    },
    async verify(evidence, context) {
      const { code, next_key: nextKey = '' } = evidence as { code: string; next_key?: string };
      const parsed = parse(code);
      expectEntry(parsed, context);
      let by = opened.take(code);
      if (by === undefined) {
        await expectRegistrar(deps, parsed, context);
        await unwrap(deps, parsed, context);
        by = context.correlationId;
      }
      const begunBy = by;
      return {
        selectors: selectors({ 'join:entry': parsed.entry }),
        settle: beginner(deps, parsed, { nextKey, begunBy }, context),
        done: (granted) => {
          if (!granted) opened.putBack(code, begunBy);
        },
      };
    },
    entryDefects(entry) {
      if (entry.match['join:entry'] === entryRef(entry) && Object.keys(entry.match).length === 1) return [];
      return [
        {
          pointer: '/match',
          message: `is {"join:entry":"${entryRef(entry)}"}: a join code is for one entry, its own`,
        },
      ];
    },
  };
}

function parse(text: string): JoinCode {
  try {
    return parseJoinCode(text);
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new AttestationError('JOIN_CODE_INVALID', 'this is not a join code', { cause });
  }
}

/** A code whose entry is not (yet) active is refused before it is spent. */
function expectEntry({ entry }: JoinCode, { registered }: AttestContext): void {
  const found = registered.entries.get(entry);
  if (found?.state !== 'active' || !('join:entry' in found.match)) {
    throw new AttestationError(
      'JOIN_NO_ENTRY',
      `the code is for ${entry}, which is not an active entry for join codes`,
    );
  }
}

/** The look-up is free and says by which call the token was wrapped: a document of anyone else's making is no code. */
async function expectRegistrar(deps: JoinDeps, code: JoinCode, context: AttestContext): Promise<void> {
  const wanted = `${MOUNTS.kv}/data/${joinPath({ entry: parseEntryRef(code.entry)!, id: code.id })}`;
  const token = code.wrappingToken.reveal();
  const { data } = await orGone(deps, code, context, () =>
    deps.vault.request<{ creation_path?: unknown }>('POST', 'sys/wrapping/lookup', { token }),
  );
  if (data?.creation_path !== wanted) {
    throw new AttestationError('JOIN_CODE_FOREIGN', `the code was not made by reading ${wanted}`);
  }
}

async function unwrap(deps: JoinDeps, code: JoinCode, context: AttestContext): Promise<void> {
  const { data } = await orGone(deps, code, context, () =>
    deps.vault.request<{ data?: unknown }>('POST', 'sys/wrapping/unwrap', {}, { token: code.wrappingToken }),
  );
  const { entry, id } = (data?.data ?? {}) as { entry?: unknown; id?: unknown };
  if (entry !== code.entry || id !== code.id) {
    throw new AttestationError('JOIN_CODE_FOREIGN', 'what is wrapped is not what the code says');
  }
}

/** A token that is gone before its time was used by somebody else. */
async function orGone<T>(
  deps: JoinDeps,
  code: JoinCode,
  { correlationId, now }: AttestContext,
  call: () => Promise<VaultReply<T>>,
): Promise<VaultReply<T>> {
  try {
    return await call();
  } catch (error) {
    if (!isVaultError(error, 'VAULT_WRAPPING_GONE') && !isVaultError(error, 'VAULT_DENIED')) throw error;
    const begun = await deps.instances.find(instanceId(code));
    const ranOut = code.expiresAt !== undefined && now >= code.expiresAt;
    if (begun === undefined && ranOut) {
      throw new AttestationError('JOIN_CODE_EXPIRED', `the code for ${code.entry} has run out unused`, {
        cause: error,
      });
    }
    deps.alarms.raise('join_code', {
      entry: code.entry,
      join: code.id,
      instance: begun?.instance.id,
      correlation_id: correlationId,
    });
    throw new AttestationError('JOIN_CODE_SPENT', `the code for ${code.entry} is spent`, { cause: error });
  }
}

function beginner(
  deps: JoinDeps,
  code: JoinCode,
  { nextKey, begunBy }: { readonly nextKey: string; readonly begunBy: string },
  context: AttestContext,
): NonNullable<Verified['settle']> {
  return async ({ entry, id }) => {
    const instance = {
      id: instanceId(code),
      entry: entryRef(entry),
      spiffe_id: id.toString(),
      method: 'join',
      generation: 1,
      next_key: nextKey,
      locked: false,
      join: code.id,
      correlation_id: begunBy,
    };
    if (await deps.instances.begin(instance)) return { id: instance.id, generation: 1 };
    deps.alarms.raise('join_code', {
      entry: code.entry,
      join: code.id,
      instance: instance.id,
      correlation_id: context.correlationId,
    });
    throw new AttestationError('JOIN_CODE_SPENT', `the join ${code.id} for ${code.entry} was wrapped twice`);
  };
}

const MOST_OPENED = 1_000;

/**
 * Codes that were unwrapped here and then gave no grant, because Vault failed between the two. Nobody has gained anything by them, so
 * their holder may show them again, to this broker, instead of raising an alarm over its own code.
 */
function createOpened() {
  const opened = new Map<string, string>();
  const mark = (code: string) => createHash('sha256').update(code).digest('base64');
  return {
    /** The attestation that unwrapped it. Taken out: of two that show it at once, one goes on. */
    take(code: string): string | undefined {
      const by = opened.get(mark(code));
      opened.delete(mark(code));
      return by;
    },
    putBack(code: string, by: string): void {
      if (opened.size >= MOST_OPENED) opened.delete(opened.keys().next().value ?? '');
      opened.set(mark(code), by);
    },
  };
}

/** One join, one instance, ever: the id follows from the join, so that check-and-set refuses a second. */
function instanceId({ entry, id }: JoinCode): string {
  return createHash('sha256').update(`signet-join-v1\n${entry}\n${id}`).digest('hex').slice(0, 32);
}
