import type { ConnectionOptions } from 'node:tls';
import { SignetError } from '../errors.ts';
import { brokerId } from '../grant/index.ts';
import { checkPeer } from '../svid/index.ts';

/** Whom a client takes for the broker: by the pinned authority (PEM), and by the broker's own SPIFFE ID in this trust domain. */
export type BrokerTrust = { readonly ca: string; readonly trustDomain: string };

/** Whoever answered holds a certificate of the authority, and is not the broker. */
export class BrokerTlsError extends SignetError<'BROKER_UNTRUSTED'> {
  override readonly name = 'BrokerTlsError';
}

/**
 * What makes a TLS client of node go on only with the broker. Its host name says nothing: whoever owns DNS would otherwise be the broker.
 * The handshake fails with a BrokerTlsError, or with OpenSSL's verdict.
 */
export function brokerTls({ ca, trustDomain }: BrokerTrust): ConnectionOptions {
  return {
    ca,
    // The default is the environment's to change (NODE_TLS_REJECT_UNAUTHORIZED).
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    checkServerIdentity: (_host, certificate) => brokerFlaw(certificate.raw, trustDomain),
  };
}

function brokerFlaw(leafDer: Uint8Array, trustDomain: string): Error | undefined {
  try {
    const { id } = checkPeer(leafDer, { trustDomain, now: new Date(), otherSans: 'allow' });
    return id.equals(brokerId(trustDomain)) ? undefined : notBroker();
  } catch (cause) {
    return notBroker(cause);
  }
}

function notBroker(cause?: unknown): BrokerTlsError {
  return new BrokerTlsError('BROKER_UNTRUSTED', "the certificate is not the broker's", { cause });
}

/** OpenSSL's verdicts that are about the other side's certificate, not about the network. */
const UNTRUSTED = /CERT|SIGNATURE|CHAIN|ISSUER|SELF_SIGNED|INVALID_CA|PATH_LENGTH|INVALID_PURPOSE/;

/** Whether a connection failed since the other side proved to be nobody that is trusted. */
export function isUntrusted(error: Error): boolean {
  return (
    error instanceof BrokerTlsError || UNTRUSTED.test(String((error as NodeJS.ErrnoException).code ?? ''))
  );
}
