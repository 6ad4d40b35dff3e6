import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  bodyClaim,
  type Channel,
  channelOf,
  EXPORTER_BYTES,
  EXPORTER_LABEL,
  type Mode,
  ProofMaker,
  type ProvenRequest,
} from '../../../lib/fingerprint/index.ts';
import type { Credentials } from '../../../sidecar/identity/credentials.ts';
import { problemIn } from '../inbound/world.ts';
import { dialTls, type RawClient } from '../sockets.ts';
import { WEB } from '../support.ts';

/** Who has an SVID, and says exactly what it likes. */
export type ProvingCaller = Disposable & {
  readonly client: RawClient;
  readonly channel: Channel;
  readonly maker: ProofMaker;
  /** Of its SVID. */
  readonly key: KeyObject;
  /** For requests until the first is answered. */
  readonly assertion: string;
  /** A proof of this request, made at `now`. */
  proof(request?: Partial<ProvenRequest>, now?: Date): string;
  /** Sends a request with these header lines and body, and waits for the answer: its status, and its code where it is a problem. */
  ask(line: string, headers?: readonly string[], body?: string): Promise<string>;
};

export const GET: ProvenRequest = { method: 'GET', host: 'orders', path: '/a', query: null, body: null };
export const proofLine = (token: string) => `Workload-Proof-Token: ${token}`;
export const channelLine = (assertion: string) => `X-Signet-Channel: ${assertion}`;

/** What a proof says of this body, whose length is told. */
export function digestOf(body: string): string | null {
  return bodyClaim(
    { contentLength: body.length, chunked: false, expect: false },
    Buffer.from(body, 'latin1'),
  );
}

export async function provingCaller(
  address: string,
  credentials: Credentials,
  mode: Exclude<Mode, 'off'> = 'channel',
): Promise<ProvingCaller> {
  const client = await dialTls(address, credentials);
  const channel = channelOn(client.socket);
  const { key } = credentials.current!;
  const maker = makerOn(channel, credentials, mode);
  const assertion = maker.assertion(new Date()) ?? '';
  return {
    ...{ client, channel, maker, assertion, key },
    proof: (request = {}, now = new Date()) => maker.make({ ...GET, ...request }, now),
    async ask(line, headers = [], body = '') {
      client.received = '';
      client.send([`${line} HTTP/1.1`, 'Host: orders', ...headers, '', body].join('\r\n'));
      const text = await client.hears(isWhole);
      const status = text.slice(9, 12);
      return status === '200' ? status : `${status} ${problemIn(text)['code']}`;
    },
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n') + 4;
  return end > 4 && text.length >= end + Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
}

export function channelOn(socket: Socket): Channel {
  const tls = socket as TLSSocket;
  return channelOf(tls.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)));
}

/** Makes proofs as WEB with the SVID that `credentials` hold. */
export function makerOn(channel: Channel, credentials: Credentials, mode: Exclude<Mode, 'off'>): ProofMaker {
  return new ProofMaker(channel, { mode, ttlSeconds: 10, key: credentials.current!.key, subject: WEB });
}
