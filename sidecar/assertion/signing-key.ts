import type { KeyObject } from 'node:crypto';
import {
  ASSERTION_TYPE,
  type Jwk,
  jwsHeader,
  publicJwk,
  transactionHeader,
} from '../../lib/assertion/index.ts';
import { pemToDer } from '../../lib/svid/index.ts';
import type { Svid } from '../identity/credentials.ts';

/** What is made once per SVID for all that its key signs. */
export type SigningKey = {
  readonly key: KeyObject;
  readonly jwk: Jwk;
  readonly assertionHeader: string;
  readonly transactionHeader: string;
};

const made = new WeakMap<Svid, SigningKey>();

export function signingKeyOf(svid: Svid): SigningKey {
  let signing = made.get(svid);
  if (signing === undefined) {
    const { key } = svid;
    const jwk = publicJwk(key);
    signing = {
      key,
      jwk,
      assertionHeader: jwsHeader(ASSERTION_TYPE, { kid: jwk.kid }),
      transactionHeader: transactionHeader(pemToDer(svid.certChainPem)),
    };
    made.set(svid, signing);
  }
  return signing;
}
