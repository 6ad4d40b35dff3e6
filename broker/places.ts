import { inParallel, listDocuments, type VaultCaller } from '../lib/adapter/documents.ts';
import { isEntryName } from '../lib/attestation/index.ts';
import { type Folder, tenantFromName, tenantInName } from '../lib/grant/index.ts';

/** Whose document it is, and which. */
export type Place = { readonly tenant: string; readonly name: string };

/** The place that a path below the KV mount is; undefined where it is none of this folder. */
export function placeAt(folder: Folder, path: string): Place | undefined {
  const [front, tenantName = '', name = '', ...rest] = path.split('/');
  const tenant = tenantFromName(tenantName);
  const fits = front === folder && tenant !== undefined && isEntryName(name) && rest.length === 0;
  return fits ? { tenant, name } : undefined;
}

/** Every document of a folder. @throws VaultError, DocumentError */
export async function everyPlace(vault: VaultCaller, folder: Folder): Promise<Place[]> {
  const found = await inParallel(await tenantsIn(vault, folder), (tenant) => placesOf(vault, folder, tenant));
  return found.flat();
}

/**
 * The documents of a tenant and of those below it, as far as the caller may list them. Which of the latter there are is read with the broker's
 * own right: who is below a tenant may not see who is beside it, and Vault lists both in one.
 * @throws VaultError, DocumentError
 */
export async function placesBelow(
  caller: VaultCaller,
  own: VaultCaller,
  folder: Folder,
  tenant: string,
): Promise<Place[]> {
  const first = await placesOf(caller, folder, tenant);
  const below = (await tenantsIn(own, folder)).filter((each) => each.startsWith(`${tenant}/`));
  const rest = await inParallel(below, (each) => placesOf(caller, folder, each));
  return [...first, ...rest.flat()];
}

/** Whoever may write one document could otherwise stop every broker with an odd name: it is passed over. */
async function tenantsIn(vault: VaultCaller, folder: Folder): Promise<string[]> {
  const keys = await listDocuments(vault, `${folder}/`);
  return keys
    .filter((key) => key.endsWith('/'))
    .map((key) => tenantFromName(key.slice(0, -1)))
    .filter((tenant) => tenant !== undefined);
}

async function placesOf(vault: VaultCaller, folder: Folder, tenant: string): Promise<Place[]> {
  const names = await listDocuments(vault, `${folder}/${tenantInName(tenant)}/`);
  return names.filter(isEntryName).map((name) => ({ tenant, name }));
}
