import { readFile, stat } from 'node:fs/promises';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { type Crl, fromBase64, MAX_CRL_BYTES, readCrl, verifySigned } from '../../lib/svid/index.ts';
import type { Certificate } from './chain.ts';
import { refused } from './refused.ts';

/** The revocation lists of manufacturers. */
export interface Crls {
  /**
   * Asks the lists at these places whether `issuer` took back `subject`. Without a list of that authority, by its key and of this time, nothing is
   * believed of it.
   * @throws AttestationError
   */
  check(places: readonly string[], issuer: Certificate, subject: Certificate, now: Date): Promise<void>;
  /** Fetches lists again and again, until `signal` fires. */
  run(signal: AbortSignal): Promise<void>;
}

export type CrlDeps = {
  readonly places: readonly string[];
  /** Those whose keys are known beforehand. */
  readonly authorities: readonly Certificate[];
  readonly refreshMs: number;
  readonly log: Log;
  readonly now: () => Date;
};

/** One place of a list. */
interface Source {
  /** The last one that could be read, and of each authority the newest of which the signature was found good. */
  lists(): Promise<readonly Crl[]>;
  /** Told of one of these that it is signed by this authority. */
  confirm(list: Crl, issuer: Certificate): void;
  run(signal: AbortSignal): Promise<void>;
}

export function createCrls({ places, ...deps }: CrlDeps): Crls {
  const sources = new Map<string, Source>(
    places.map((place) => [
      place,
      place.startsWith('/') ? fileSource(place, deps.log) : urlSource(place, deps),
    ]),
  );
  return {
    async check(asked, issuer, subject, at) {
      if (issuer.info.keyUsage?.includes('cRLSign') !== true)
        throw refused('CRL_MISSING', 'an issuer may not sign revocation lists');
      const own: Crl[] = [];
      let named = 0;
      for (const source of asked.map((place) => sources.get(place)!)) {
        for (const list of await source.lists()) {
          if (!isNamed(list, issuer)) continue;
          named += 1;
          if (!isBy(list, issuer)) continue;
          source.confirm(list, issuer);
          own.push(list);
        }
      }
      if (named === 0) throw refused('CRL_MISSING', 'there is no revocation list of an issuer');
      if (own.length === 0)
        throw refused('CRL_UNTRUSTED', 'the revocation list of an issuer is not signed by its key');
      // what any list of its authority took back stays taken back, even if that list is late
      if (own.some(({ revoked }) => revoked.has(subject.info.serial.replaceAll(':', ''))))
        throw refused('DEVICE_REVOKED', `the certificate ${subject.info.serial} is revoked`);
      if (!own.some((list) => isCurrent(list, at)))
        throw refused('CRL_EXPIRED', 'the revocation list of an issuer is out of date');
    },
    async run(signal) {
      await Promise.all(Array.from(sources.values(), (source) => source.run(signal)));
    },
  };
}

function isNamed({ issuerDer }: Crl, { info }: Certificate): boolean {
  return Buffer.compare(issuerDer, info.subjectDer) === 0;
}

/** A list that promises no next one is never known to be the last. */
function isCurrent({ thisUpdate, nextUpdate }: Crl, now: Date): boolean {
  return thisUpdate <= now && nextUpdate !== null && now < nextUpdate;
}

const verified = new WeakMap<Crl, Map<string, boolean>>();

/** Large lists are hashed once for each key, and not at each attestation. */
function isBy(list: Crl, issuer: Certificate): boolean {
  const known = verified.get(list) ?? new Map<string, boolean>();
  verified.set(list, known);
  const name = Buffer.from(issuer.info.spkiDer).toString('base64');
  let good = known.get(name);
  if (good === undefined) {
    good = verifySigned(list, issuer.key);
    if (known.size < 16) known.set(name, good);
  }
  return good;
}

/** A file is looked at whenever it is asked for, and read when it is another than before. */
function fileSource(path: string, log: Log): Source {
  let kept: { readonly mark: string; readonly list: Promise<Crl | undefined> } | undefined;
  // a file that is gone or broken tells nothing of anybody, and who is not known to be sound is refused
  const unreadable = (error: unknown) => {
    log.warn('crl_unreadable', { place: path, reason: reasonOf(error) });
    return undefined;
  };
  const load = async (size: number) => {
    if (size > 2 * MAX_CRL_BYTES) throw new Error('too large');
    const list = parseCrl(await readFile(path));
    log.info('crl', { place: path, revoked: list.revoked.size });
    return list;
  };
  return {
    async lists() {
      try {
        const { ino, mtimeMs, size } = await stat(path);
        const mark = `${ino} ${mtimeMs} ${size}`;
        if (kept?.mark !== mark) kept = { mark, list: load(size).catch(unreadable) };
        const list = await kept.list;
        return list === undefined ? [] : [list];
      } catch (error) {
        unreadable(error);
        return [];
      }
    },
    confirm() {},
    run: async () => {},
  };
}

const RETRY_MS = 10_000;
const ANSWER_MS = 5_000;
const LEAST_WAIT_MS = 1_000;
/** Authorities whose lists one URL has. */
const MOST_ISSUERS = 16;

/**
 * What is at a URL is fetched before it is needed, and the very first is waited for. Anybody on the way may have made it up: it takes
 * the place of one that was found good only once it is found good itself, is of the same authority, and is newer. Were another authority's list
 * to take it, whoever sits on the way could have the good one forgotten, and go back to an older one.
 */
function urlSource(url: string, { authorities, refreshMs, log, now }: Omit<CrlDeps, 'places'>): Source {
  let latest: Crl | undefined;
  const trusted = new Map<string, Crl>();
  const looked = Promise.withResolvers<void>();
  const confirm = (list: Crl, { info }: Certificate) => {
    const name = Buffer.concat([info.subjectDer, info.spkiDer]).toString('base64');
    const kept = trusted.get(name);
    if (kept === undefined ? trusted.size < MOST_ISSUERS : list.thisUpdate > kept.thisUpdate)
      trusted.set(name, list);
  };
  const isOlder = (fresh: Crl) =>
    [...trusted.values()].some(
      (each) => Buffer.compare(each.issuerDer, fresh.issuerDer) === 0 && fresh.thisUpdate < each.thisUpdate,
    );
  const take = (fresh: Crl) => {
    if (isOlder(fresh)) log.warn('crl_older', { place: url });
    else if (latest?.thisUpdate.getTime() !== fresh.thisUpdate.getTime())
      log.info('crl', { place: url, revoked: fresh.revoked.size });
    latest = fresh;
    for (const each of authorities) if (isNamed(fresh, each) && isBy(fresh, each)) confirm(fresh, each);
  };
  return {
    async lists() {
      await looked.promise;
      return [...new Set([...trusted.values(), ...(latest === undefined ? [] : [latest])])];
    },
    confirm,
    async run(signal) {
      while (!signal.aborted) {
        let wait = refreshMs;
        try {
          const fresh = parseCrl(await fetchBytes(url, signal));
          take(fresh);
          const left = (fresh.nextUpdate?.getTime() ?? Number.POSITIVE_INFINITY) - now().getTime();
          wait = Math.min(wait, left > 0 ? Math.max(left / 2, LEAST_WAIT_MS) : RETRY_MS);
        } catch (error) {
          if (signal.aborted) break;
          wait = Math.min(wait, RETRY_MS);
          log.warn('crl_unreadable', { place: url, reason: reasonOf(error) });
        }
        looked.resolve();
        await sleep(wait, signal);
      }
      looked.resolve();
    },
  };
}

async function fetchBytes(url: string, signal: AbortSignal): Promise<Uint8Array> {
  const bound = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const response = await fetch(url, { signal: bound, redirect: 'error' });
  if (response.status !== 200 || response.body === null) throw new Error(`status ${response.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > 2 * MAX_CRL_BYTES) throw new Error('too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const BEGIN = '-----BEGIN X509 CRL-----';
const END = '-----END X509 CRL-----';

/** DER, or one block of PEM; in time that grows as its length does, since it is a stranger's. @throws SvidError */
function parseCrl(bytes: Uint8Array): Crl {
  if (bytes[0] === 0x30) return readCrl(bytes);
  const text = Buffer.from(bytes).toString('latin1').trimEnd();
  const whole = text.startsWith(BEGIN) && text.endsWith(END);
  return readCrl(fromBase64(whole ? text.slice(BEGIN.length, -END.length).replace(/\s+/g, '') : ''));
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
