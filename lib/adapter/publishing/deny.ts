import { SignetError } from '../../errors.ts';
import {
  denylistText,
  MOST_DENIED,
  parseSignedDenylist,
  type SignedDenylist,
  serialForm,
} from '../../manifest/index.ts';
import { isVaultError, type VaultCaller, writeDocument } from '../documents.ts';
import { raiseRevision } from '../revision.ts';
import { DENYLIST, readDenylist } from './denylist.ts';
import { openSigner } from './signing.ts';

export type Denied = { readonly ids: readonly string[]; readonly serials: readonly string[] };

class DenyError extends SignetError<'TOO_MANY' | 'DENIED_MEANWHILE'> {
  override readonly name = 'DenyError';
}

/**
 * Writes the deny-list anew as `change` makes it, signed with the operator's own token, so that sidecars believe it. Brokers go by the
 * same document.
 * @throws DenyError, SigningError, VaultError, DocumentError
 */
export async function changeDenylist(
  operator: VaultCaller,
  change: (denied: Denied) => Denied,
  now: Date,
): Promise<SignedDenylist> {
  const there = await readDenylist(operator);
  const signer = await openSigner(operator);
  const wanted = change({ ids: [...there.ids], serials: [...there.serials] });
  const list: SignedDenylist = {
    // the store's own count rises too when somebody writes the list by hand, without a version
    version: Math.max(there.signed?.version ?? 0, there.cas) + 1,
    trustDomain: signer.trustDomain,
    publishedAt: now,
    author: signer.author,
    ids: [...new Set(wanted.ids)].sort(),
    serials: [...new Set(wanted.serials.map(serialForm))].sort(),
  };
  if (Math.max(list.ids.length, list.serials.length) > MOST_DENIED)
    throw new DenyError('TOO_MANY', `at most ${MOST_DENIED} IDs and as many serials`);
  const text = denylistText(list);
  parseSignedDenylist(text);
  const { signature, keyVersion } = await signer.sign('denylist', text);
  const { version, trustDomain, publishedAt, author, ids, serials } = list;
  const document = {
    ...{ ids, serials, version },
    ...{ trust_domain: trustDomain, published_at: publishedAt, author, signature, key_version: keyVersion },
  };
  try {
    await writeDocument(operator, DENYLIST, document, there.cas);
  } catch (cause) {
    if (!isVaultError(cause, 'VAULT_CAS_CONFLICT')) throw cause;
    throw new DenyError(
      'DENIED_MEANWHILE',
      'somebody else changed the deny-list at the same time: try again',
      {
        cause,
      },
    );
  }
  await raiseRevision(operator, DENYLIST);
  return list;
}
