import { type Bundle, parseBundle, pemToDer, readCertificate, SvidError } from '../lib/svid/index.ts';

/**
 * Reads trusted authorities from a SPIFFE bundle (JSON) or from PEM. The trust domain is the one given, or else the one that the
 * authorities themselves name by their URI SAN.
 * @throws SvidError `BUNDLE_MALFORMED`, `SVID_MALFORMED`, `SVID_WRONG_TRUST_DOMAIN` when no trust domain is given and none is named
 */
export function readBundleFile(text: string, trustDomain?: string): Bundle {
  const bundle = text.trimStart().startsWith('{')
    ? parseBundle(trustDomain ?? '', readJson(text))
    : ofPem(text);
  return { ...bundle, trustDomain: trustDomain ?? namedBy(bundle.authorities) };
}

function ofPem(text: string): Bundle {
  return { trustDomain: '', sequence: 0, refreshHintSeconds: null, authorities: pemToDer(text) };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SvidError('BUNDLE_MALFORMED', 'the bundle is not JSON', { cause });
  }
}

function namedBy(authorities: readonly Uint8Array[]): string {
  const uris = new Set(authorities.flatMap((der) => readCertificate(der).uriSans));
  const [uri = '', ...others] = uris;
  const name = /^spiffe:\/\/([a-z0-9._-]+)$/.exec(uri)?.[1];
  if (name === undefined || others.length > 0) {
    throw new SvidError(
      'SVID_WRONG_TRUST_DOMAIN',
      'the authorities do not name one trust domain; say which with --trust-domain',
    );
  }
  return name;
}
