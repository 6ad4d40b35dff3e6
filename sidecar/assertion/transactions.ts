import { hash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/adapter/clock.ts';
import {
  AssertionError,
  type Believed,
  type Jws,
  makeTxnToken,
  type Origin,
  readTransaction,
  type Signer,
  signerOf,
  verifyTransaction,
} from '../../lib/assertion/index.ts';
import type { SpiffeId } from '../../lib/spiffe/index.ts';
import { type Bundle, checkPeer, pemToDer, SvidError } from '../../lib/svid/index.ts';
import { droppedValue, NOTHING, type RequestHead } from '../http1/index.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import type { OutboundScreen } from '../outbound/index.ts';
import { type Connection, Refused } from '../relay/index.ts';
import type { KeyRing } from './key-ring.ts';
import type { SigningKey } from './signing-key.ts';

export type TransactionsDeps = {
  readonly credentials: Credentials;
  readonly keys: KeyRing;
  readonly clock: Clock;
};

/** The two ends of a connection that we made. */
type Ends = { readonly audience: SpiffeId; readonly signing: SigningKey };

const TRANSACTION = Buffer.from('x-signet-transaction');
/** Refused by whoever reads it: where it cannot be said what led to a request, it must not look as if nothing had. */
const UNTOLD = Buffer.from('txn-token: untold\r\n');
const MOST_BELIEVED = 1_024;
const MOST_SIGNERS = 32;

/**
 * What the app was called for when it calls others. Its requests may name a transaction that our own inbound side, or that of another process
 * of this workload, gave it; the upstream is told of it in a `Txn-Token`.
 */
export class Transactions implements OutboundScreen {
  private readonly deps: TransactionsDeps;
  /** By the hash of the whole text, which is long. */
  private readonly believed = new Map<string, Believed>();
  private readonly signers = new Map<string, Signer>();
  private readonly ends = new WeakMap<Socket, Ends>();
  /** By which all that is kept was judged. */
  private judgedBy: { readonly id: SpiffeId; readonly pem: string; readonly bundle: Bundle } | null = null;

  constructor(deps: TransactionsDeps) {
    this.deps = deps;
  }

  screen(head: RequestHead): Refused | null {
    const origin = this.originOf(head);
    return origin instanceof Refused ? origin : null;
  }

  readonly transform = (head: RequestHead, connection: Connection): Buffer => {
    const origin = this.originOf(head);
    if (origin === null) return NOTHING;
    if (origin instanceof Refused) return UNTOLD;
    const svid = this.deps.credentials.current;
    const ends = this.endsOf(connection.socket);
    if (svid === null || ends === null) return UNTOLD;
    const { audience, signing } = ends;
    const between = { issuer: svid.id, audience, now: this.deps.clock.now() };
    return Buffer.from(`txn-token: ${makeTxnToken(origin, between, signing.key)}\r\n`, 'latin1');
  };

  private originOf(head: RequestHead): Origin | Refused | null {
    const text = droppedValue(head, TRANSACTION);
    if (text === null) return null;
    const svid = this.deps.credentials.current;
    if (text === undefined || svid === null) return refused('TXN_MALFORMED');
    const now = this.deps.clock.now();
    const bundle = this.bundleOf(svid);
    const name = hash('sha256', text, 'base64url');
    const known = this.believed.get(name);
    if (known !== undefined && known.expires > now) return known.origin;
    try {
      const jws = readTransaction(text);
      const found = verifyTransaction(jws, this.signerOf(jws, svid.id, bundle, now), svid.id, now);
      keep(this.believed, name, found, MOST_BELIEVED);
      return found.origin;
    } catch (error) {
      if (error instanceof AssertionError) return refused(error.code);
      throw error;
    }
  }

  private signerOf(jws: Jws, own: SpiffeId, bundle: Bundle, now: Date): Signer {
    const known = this.signers.get(jws.headerText);
    if (known !== undefined) return known;
    const signer = signerOf(jws, own, bundle, now);
    keep(this.signers, jws.headerText, signer, MOST_SIGNERS);
    return signer;
  }

  private bundleOf({ id, bundlePem: pem }: Svid): Bundle {
    let judged = this.judgedBy;
    if (judged === null || judged.pem !== pem || !judged.id.equals(id)) {
      const authorities = pemToDer(pem);
      const bundle = { trustDomain: id.trustDomain, sequence: 0, refreshHintSeconds: null, authorities };
      this.judgedBy = judged = { id, pem, bundle };
      this.believed.clear();
      this.signers.clear();
    }
    return judged.bundle;
  }

  /** The upstream knows us by the certificate of this very connection, which may be that of an SVID before the present one. */
  private endsOf(socket: Socket): Ends | null {
    const known = this.ends.get(socket);
    if (known !== undefined) return known;
    const tls = socket as TLSSocket;
    const [peer, own] = [tls.getPeerX509Certificate?.(), tls.getX509Certificate?.()];
    const signing = own === undefined ? null : this.deps.keys.byFingerprint(own.fingerprint256);
    const trustDomain = this.deps.credentials.current?.id.trustDomain;
    if (peer === undefined || signing === null || trustDomain === undefined) return null;
    try {
      const { id: audience } = checkPeer(peer.raw, { trustDomain, now: this.deps.clock.now() });
      const ends = { audience, signing };
      this.ends.set(socket, ends);
      return ends;
    } catch (error) {
      if (error instanceof SvidError) return null;
      throw error;
    }
  }
}

/** The one kept longest goes. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value, most: number): void {
  if (map.size >= most) map.delete(map.keys().next().value!);
  map.set(key, value);
}

function refused(reason: string): Refused {
  const detail = 'X-Signet-Transaction is not one that this workload was given, or it is no longer good';
  return new Refused({ status: 400, code: 'transaction_refused', detail, reason });
}
