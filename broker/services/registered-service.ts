import { isIP } from 'node:net';
import { isEntryName, parseTenant } from '../../lib/attestation/index.ts';
import { type Defect, InputError } from '../../lib/errors.ts';
import { documentPath } from '../../lib/grant/index.ts';
import { parseSpiffeId, SpiffeError } from '../../lib/spiffe/index.ts';
import type { Place } from '../places.ts';

/** A service that is registered by hand, for callers that no cluster tells of it: a name, where it is, and who has to answer there. */
export type RegisteredService = {
  readonly tenant: string;
  readonly name: string;
  /** What an app asks for: `orders.internal`. One in the trust domain. */
  readonly host: string;
  /** Of sidecars: `10.0.0.5:8443`. None: nobody answers at present. */
  readonly addresses: readonly string[];
  /** Who may answer at any of them. */
  readonly spiffe_ids: readonly string[];
};

export const MOST_ADDRESSES = 64;
export const MOST_IDS = 16;
const FIELDS = ['tenant', 'name', 'host', 'addresses', 'spiffe_ids'];
const HOST = /^(?=.{3,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function servicePath(service: Place): string {
  return documentPath('services', service);
}

/** @throws InputError with every defect, each by its JSON pointer */
export function parseRegisteredService(
  value: unknown,
  { trustDomain }: { readonly trustDomain: string },
): RegisteredService {
  const defects: Defect[] = [];
  const flaw = (pointer: string, message: string) => void defects.push({ pointer, message });
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InputError('service', [{ pointer: '', message: 'is not a JSON object' }]);
  const raw = value as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(raw))
    if (!FIELDS.includes(key)) flaw(`/${key.slice(0, 80)}`, 'is not a field of a service');
  const word = (field: string, good: (text: string) => boolean, message: string): string => {
    const text = raw[field];
    if (typeof text === 'string' && good(text)) return text;
    flaw(`/${field}`, text === undefined ? 'is missing' : message);
    return '';
  };
  const words = (field: string, most: number, whyNot: (text: string) => string | undefined): string[] => {
    const found = raw[field];
    if (!Array.isArray(found) || found.length > most) {
      flaw(`/${field}`, found === undefined ? 'is missing' : `is not a list of at most ${most}`);
      return [];
    }
    found.forEach((item, i) => {
      const why = typeof item === 'string' ? whyNot(item) : 'is not a string';
      if (why !== undefined) flaw(`/${field}/${i}`, why);
    });
    if (new Set(found).size < found.length) flaw(`/${field}`, 'has something twice');
    return found as string[];
  };
  const service = {
    tenant: word(
      'tenant',
      (s) => parseTenant(s) !== undefined,
      'is one to four names of a-z 0-9 - joined by /',
    ),
    name: word('name', isEntryName, 'is 1 to 63 of a-z 0-9 -, not starting or ending with -'),
    host: word('host', isHost, 'is a lower-case name of two or more parts, and none that Kubernetes gives'),
    addresses: words('addresses', MOST_ADDRESSES, (text) =>
      isPlace(text) ? undefined : 'is not an IP address and port such as 10.0.0.5:8443',
    ),
    spiffe_ids: words('spiffe_ids', MOST_IDS, (text) => idFlaw(text, trustDomain)),
  };
  if (defects.length === 0 && service.spiffe_ids.length === 0)
    flaw('/spiffe_ids', 'is empty: nobody could answer');
  if (defects.length > 0) throw new InputError('service', defects);
  return service;
}

/** One part alone means a Service of the caller's own namespace, `orders.shop.svc` one of another. */
function isHost(text: string): boolean {
  return HOST.test(text) && text.split('.')[2] !== 'svc' && !text.endsWith('.localhost');
}

function isPlace(text: string): boolean {
  const [, bracketed, plain = '', digits] =
    /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(text) ?? [];
  const sound = bracketed === undefined ? isIP(plain) === 4 : isIP(bracketed) === 6;
  return sound && Number(digits) <= 65_535;
}

function idFlaw(text: string, trustDomain: string): string | undefined {
  try {
    const id = parseSpiffeId(text);
    if (id.trustDomain !== trustDomain) return `is not in the trust domain ${trustDomain}`;
    return id.segments[0] === 'signet' ? "is below /signet/, which is Signet's own" : undefined;
  } catch (error) {
    if (!(error instanceof SpiffeError)) throw error;
    return 'is not a SPIFFE ID';
  }
}
