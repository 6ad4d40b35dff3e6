import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { ChallengeError, mintChallenge, openChallenge, proofMessage } from '../lib/attestation/index.ts';
import type { PeerCertificate } from './attestors/index.ts';
import type { ChallengeKeys } from './challenge-keys.ts';
import { addressOf, sourceOf } from './limits.ts';
import { Problem } from './problem.ts';

/** One TLS connection, as attestation sees it. */
export interface Connection {
  /** Whom a limit counts as one. */
  readonly source: string;
  /** Without the notation of IPv4 in IPv6. */
  readonly address: string;
  readonly peer: PeerCertificate | undefined;
  /** A challenge that is good for a minute, on this connection only. */
  challenge(now: Date): Promise<{ readonly text: string; readonly expiresAt: Date }>;
  /**
   * Looks at a challenge that is yet to be used. The answer is what a proof for it must cover.
   * @throws Problem `challenge_invalid`
   */
  openChallenge(text: string, now: Date): Promise<Uint8Array>;
  /**
   * Uses a challenge up, whatever becomes of the attestation. The answer is what a proof for it must cover.
   * @throws Problem `challenge_invalid`
   */
  useChallenge(text: string, now: Date): Promise<Uint8Array>;
}

export type Connections = (socket: Socket) => Connection;

/** More are asked for on one connection by nobody who means well. */
const MOST_CHALLENGES = 32;

export function createConnections(deps: {
  readonly trustDomain: string;
  readonly keys: ChallengeKeys;
}): Connections {
  const known = new WeakMap<Socket, Connection>();
  return (socket) => {
    const there = known.get(socket) ?? createConnection(socket, deps);
    known.set(socket, there);
    return there;
  };
}

function createConnection(
  socket: Socket,
  { trustDomain, keys }: { readonly trustDomain: string; readonly keys: ChallengeKeys },
): Connection {
  const used = new Set<string>();
  // Read while the connection is open for certain: afterwards there is none to be had.
  const binding = { trustDomain, exporter: exporterOf(socket) };
  const open = async (text: string, now: Date) => {
    if (used.has(text) || used.size >= MOST_CHALLENGES) throw new Problem('challenge_invalid');
    const accepted = await keys.accepted(now);
    try {
      openChallenge(text, accepted, now, binding);
    } catch (cause) {
      if (cause instanceof ChallengeError) throw new Problem('challenge_invalid', { cause });
      throw cause;
    }
    return proofMessage({ challenge: text, ...binding });
  };
  return {
    source: sourceOf(socket.remoteAddress),
    address: addressOf(socket.remoteAddress),
    get peer() {
      return peerOf(socket);
    },
    challenge: async (now) => mintChallenge(await keys.current(now), randomBytes(16), now, binding),
    openChallenge: open,
    async useChallenge(text, now) {
      const proof = await open(text, now);
      // Looked at again: a second request may have come while the keys were fetched.
      if (used.has(text)) throw new Problem('challenge_invalid');
      used.add(text);
      return proof;
    },
  };
}

/** RFC 9266 `tls-exporter`. */
function exporterOf(socket: Socket): Uint8Array {
  if (!(socket instanceof TLSSocket) || socket.destroyed) throw new Problem('malformed');
  return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
}

const LONGEST_CHAIN = 6;

function peerOf(socket: Socket): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const chainDer: Uint8Array[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chainDer.length < LONGEST_CHAIN) {
    chainDer.push(new Uint8Array(certificate.raw));
    certificate = certificate.issuerCertificate;
  }
  return chainDer.length === 0 ? undefined : { chainDer, authorized: socket.authorized };
}
