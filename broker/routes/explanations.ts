import { callerOf } from '../../lib/adapter/caller.ts';
import { inParallel, isVaultError, listDocuments, type VaultCaller } from '../../lib/adapter/documents.ts';
import type { Vault } from '../../lib/adapter/vault.ts';
import { parseEntryRef } from '../../lib/attestation/index.ts';
import { tenantInName } from '../../lib/grant/index.ts';
import type { Explanation, Explanations } from '../explanations.ts';
import { Problem } from '../problem.ts';
import type { Route } from './route.ts';

export function explanationRoutes(deps: {
  readonly vault: Vault;
  readonly explanations: Explanations;
}): Route[] {
  return [
    {
      method: 'get',
      path: '/v1/explanations/{correlation_id}',
      id: 'explain',
      summary: 'Why an attestation ended as it did: every entry considered, and the claim that differed',
      withToken: true,
      answers: { 200: 'Explanation' },
      problems: [
        'token_missing',
        'vault_denied',
        'explanation_not_found',
        'rate_limited',
        'vault_unavailable',
      ],
      async handle({ params, token }) {
        const found = deps.explanations.find(params['correlation_id'] ?? '');
        if (found === undefined) throw new Problem('explanation_not_found');
        return { status: 200, body: await seenBy(callerOf(deps.vault, token), found) };
      },
    },
  ];
}

/** What this caller may see of it: all, or the entries of tenants whose entries the caller may list. */
async function seenBy(caller: VaultCaller, explanation: Explanation): Promise<Explanation> {
  if (await mayList(caller, 'entries/')) return explanation;
  const tenantOf = (ref: string) => parseEntryRef(ref)?.tenant ?? '';
  const refs = [...explanation.considered.map(({ entry }) => entry), explanation.entry ?? ''].filter(Boolean);
  const tenants = [...new Set(refs.map(tenantOf))];
  const allowed = new Set(
    (
      await inParallel(tenants, async (tenant) =>
        (await mayList(caller, `entries/${tenantInName(tenant)}/`)) ? [tenant] : [],
      )
    ).flat(),
  );
  if (allowed.size === 0) throw new Problem('vault_denied');
  const considered = explanation.considered.filter(({ entry }) => allowed.has(tenantOf(entry)));
  const { entry, spiffe_id, instance, ...common } = explanation;
  const own = entry !== undefined && allowed.has(tenantOf(entry)) ? explanation : common;
  return { ...own, considered, considered_more: 0 };
}

async function mayList(caller: VaultCaller, folder: string): Promise<boolean> {
  try {
    await listDocuments(caller, folder);
    return true;
  } catch (error) {
    if (isVaultError(error, 'VAULT_DENIED')) return false;
    throw error;
  }
}
