import type { CertificateInfo } from '../../lib/svid/index.ts';
import { CLAIMS, type Claim, type Manufacturer } from './config.ts';
import { readSubject } from './subject.ts';

export type DeviceClaims = { readonly cn?: string } & Readonly<Partial<Record<Claim, string>>>;

const URI = /\/device-type\/([^/?#]{1,128})\/ver\/([^/?#]{1,128})\/ins\/([^/?#]{1,128})$/;

/**
 * What kind of device a certificate is for. Each claim is an attribute of the subject where the manufacturer's settings say so; the others are of
 * the one URI among its names that ends with `/device-type/<type>/ver/<version>/ins/<id>`. Of two such URIs none counts.
 */
export function readClaims({ subjectDer, uriSans }: CertificateInfo, { claims }: Manufacturer): DeviceClaims {
  const subject = readSubject(subjectDer);
  const uris = uriSans.map((uri) => URI.exec(uri)).filter((found) => found !== null);
  const [, ...named] = uris.length === 1 ? uris[0]! : [];
  const found: Record<string, string> = {};
  const cn = subject.get('CN');
  if (cn !== undefined) found['cn'] = cn;
  for (const [i, claim] of CLAIMS.entries()) {
    const attribute = claims[claim];
    const value = attribute === undefined ? named[i] : subject.get(attribute);
    if (value !== undefined) found[claim] = value;
  }
  return found;
}
