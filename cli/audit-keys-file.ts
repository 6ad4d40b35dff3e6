import { type Countersigners, readCountersigners } from '../lib/audit/index.ts';
import { type Defect, InputError } from '../lib/errors.ts';
import { type Bundle, parseBundle } from '../lib/svid/index.ts';

/** All that it takes to verify audits of a trust domain offline. Nothing in it is secret. */
export type AuditKeys = { readonly bundle: Bundle; readonly countersigners: Countersigners };

/** The document that `signet audit keys export` writes and the broker serves. `countersigning`: PEM by version. */
export type AuditKeysDocument = {
  readonly format: typeof FORMAT;
  readonly trust_domain: string;
  /** A SPIFFE bundle: who may have signed. */
  readonly bundle: object;
  readonly countersigning: Readonly<Record<string, string>>;
};

const FORMAT = 'signet-audit-keys-v1';

/** @throws InputError with the place of what is wrong */
export function readAuditKeys(text: string): AuditKeys {
  const flaw = (pointer: string, message: string): Defect => ({ pointer, message });
  let document: AuditKeysDocument;
  try {
    document = JSON.parse(text) as AuditKeysDocument;
  } catch {
    throw new InputError('audit keys', [flaw('', 'is not JSON')]);
  }
  if (document?.format !== FORMAT) throw new InputError('audit keys', [flaw('/format', `is not ${FORMAT}`)]);
  const read = <T>(pointer: string, parse: () => T): T => {
    try {
      return parse();
    } catch (error) {
      throw new InputError('audit keys', [flaw(pointer, `cannot be used: ${(error as Error).message}`)]);
    }
  };
  return {
    bundle: read('/bundle', () => parseBundle(document.trust_domain, document.bundle)),
    countersigners: read('/countersigning', () => readCountersigners(document.countersigning)),
  };
}

/** Puts documents of the same trust domain together: authorities and versions that only an older one has are still believed. */
export function mergeAuditKeys(older: AuditKeysDocument, newer: AuditKeysDocument): AuditKeysDocument {
  const keysOf = ({ bundle }: AuditKeysDocument) => (bundle as { keys?: object[] }).keys ?? [];
  const keys = new Map([...keysOf(older), ...keysOf(newer)].map((key) => [JSON.stringify(key), key]));
  return {
    ...newer,
    bundle: { ...newer.bundle, keys: [...keys.values()] },
    countersigning: { ...older.countersigning, ...newer.countersigning },
  };
}
