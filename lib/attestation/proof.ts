import { createHash } from 'node:crypto';

export type ProofContext = {
  readonly trustDomain: string;
  readonly challenge: string;
  /** The TLS exporter (RFC 9266 `EXPORTER-Channel-Binding`, 32 bytes) of the connection the proof is sent on. */
  readonly exporter: Uint8Array;
};

/** The bytes that every signed proof covers: a proof captured on one connection is worth nothing on another. */
export function proofMessage({ trustDomain, challenge, exporter }: ProofContext): Uint8Array {
  return Buffer.from(
    `signet-attest-v1\n${trustDomain}\n${challenge}\n${exporterHash(exporter).toString('hex')}\n`,
  );
}

/** SHA-256 of the exporter: what may be shown to others, while the exporter itself keys the fingerprints of the connection. */
export function exporterHash(exporter: Uint8Array): Buffer {
  return createHash('sha256').update(exporter).digest();
}
