import { DocumentError, readDocument, type VaultCaller } from './kv.ts';

/** IDs and certificate serials that are refused whatever they prove. */
export type Denylist = { readonly ids: ReadonlySet<string>; readonly serials: ReadonlySet<string> };

const PATH = 'denylist';

/**
 * No list denies nobody; a list that cannot be read denies everybody, by throwing.
 * @throws VaultError, DocumentError
 */
export async function readDenylist(vault: VaultCaller): Promise<Denylist> {
  const document = await readDocument(vault, PATH);
  if (document === undefined) return { ids: new Set(), serials: new Set() };
  const { ids, serials, ...rest } = (document.value ?? {}) as Record<string, unknown>;
  if (!areTexts(ids) || !areTexts(serials) || Object.keys(rest).length > 0) throw new DocumentError(PATH);
  return { ids: new Set(ids), serials: new Set(serials.map(serialForm)) };
}

/** One spelling of a serial: `3a:0f`, lower case, as Vault prints it, whether it was pasted with colons, dashes or neither. */
function serialForm(serial: string): string {
  const digits = serial.toLowerCase().replace(/[^0-9a-f]/g, '');
  return digits.match(/../g)?.join(':') ?? digits;
}

function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
