import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import { createCsr } from '../../lib/svid/index.ts';
import type { VaultRequest } from './vault-request.ts';

/** What the broker answered. */
export type Reply = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  readonly body: any;
};

/** A certificate to show in the handshake, PEM. */
export type Shown = { readonly cert: string; readonly key: string };

/** Looks at every answer before the test does; throws when the API broke its word. */
export type Inspect = (method: string, path: string, reply: Reply) => void;

/**
 * A client of the broker that holds one TLS connection and does each step by hand: a second opinion on the protocol beside the sidecar's.
 */
export interface AttestClient extends Disposable {
  readonly socket: TLSSocket;
  readonly exporter: Buffer;
  send(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Reply>;
  /** A fresh challenge's text. */
  challenge(): Promise<string>;
  /** The bytes that a signed proof covers. */
  proof(challenge: string): Buffer;
  /** Asks for a challenge and answers it. The reply is the first of the two that is no success, or the last. */
  attest(method: string, evidence: (proof: Buffer) => object | Promise<object>): Promise<Reply>;
}

export type ClientOptions = {
  /** `127.0.0.1:8555` */
  readonly address: string;
  /** PEM of the root; without it the broker's certificate is not looked at. */
  readonly ca?: string;
  readonly shown?: Shown;
  readonly trustDomain?: string;
  readonly inspect?: Inspect;
};

export async function attestClient(options: ClientOptions): Promise<AttestClient> {
  const { address, trustDomain = 'example.org', inspect } = options;
  const socket = await openTls(options);
  const exporter = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let lent = false;
  agent.createConnection = () => {
    if (lent) throw new Error('the broker closed the connection');
    lent = true;
    return socket;
  };

  const send: AttestClient['send'] = (method, path, body, headers = {}) =>
    new Promise((resolve, reject) => {
      const payload =
        body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      const outgoing = request(
        {
          agent,
          method,
          path,
          headers: {
            host: address,
            ...(payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': payload.length }),
            ...headers,
          },
        },
        (incoming) => {
          let text = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            text += chunk;
          });
          incoming.on('error', reject);
          incoming.on('end', () => {
            const reply = { status: incoming.statusCode ?? 0, headers: incoming.headers, body: parse(text) };
            try {
              inspect?.(method, path, reply);
              resolve(reply);
            } catch (error) {
              reject(error as Error);
            }
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(payload);
    });

  const client: AttestClient = {
    socket,
    exporter,
    send,
    async challenge() {
      const reply = await send('POST', '/v1/challenge', {});
      if (reply.status !== 201)
        throw new Error(`no challenge: ${reply.status} ${JSON.stringify(reply.body)}`);
      return reply.body.challenge;
    },
    proof: (challenge) => {
      const bound = createHash('sha256').update(exporter).digest('hex');
      return Buffer.from(`signet-attest-v1\n${trustDomain}\n${challenge}\n${bound}\n`);
    },
    async attest(method, evidence) {
      const given = await send('POST', '/v1/challenge', {});
      if (given.status !== 201) return given;
      const { challenge } = given.body;
      return await send('POST', '/v1/attest', {
        method,
        challenge,
        evidence: await evidence(client.proof(challenge)),
      });
    },
    [Symbol.dispose]() {
      agent.destroy();
      socket.destroy();
    },
  };
  return client;
}

function openTls({ address, ca, shown }: ClientOptions): Promise<TLSSocket> {
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/[[\]]/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(address.slice(at + 1)),
      minVersion: 'TLSv1.3',
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca, checkServerIdentity: () => undefined }),
      ...(shown === undefined ? {} : shown),
    });
    socket.once('secureConnect', () => {
      socket.removeListener('error', reject).on('error', () => {});
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** A workload's identity: its key, and its certificate chain as Vault gave it. */
export type TestSvid = Shown & { readonly serial: string; readonly privateKey: KeyObject };
export type TestKey = { readonly privateKey: KeyObject; readonly hash: string };

/** A key for an SVID, and the hash by which it is announced. */
export function svidKey(): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const hash = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
  return { privateKey, hash };
}

/** Spends a grant: looks at it, unwraps it, has Vault sign. @throws when Vault refuses any of it */
export async function spendGrant(
  vault: VaultRequest,
  // biome-ignore lint/suspicious/noExplicitAny: the answer of /v1/attest
  attested: any,
  key: TestKey = svidKey(),
): Promise<TestSvid> {
  const { grant, spiffe_id, ttl } = attested;
  const look = await vault('POST', 'sys/wrapping/lookup', { token: grant.wrapping_token }, { token: '' });
  if (look.body?.data?.creation_path !== grant.creation_path) throw new Error('a foreign grant');
  const opened = await vault('POST', 'sys/wrapping/unwrap', {}, { token: grant.wrapping_token });
  if (opened.status !== 200) throw new Error(`not unwrapped: ${opened.status}`);
  const signed = await vault(
    'POST',
    'signet-pki/sign/workload',
    { csr: createCsr(key.privateKey).pem, uri_sans: spiffe_id, ttl },
    { token: opened.body.auth.client_token },
  );
  if (signed.status !== 200) throw new Error(`not signed: ${signed.status} ${JSON.stringify(signed.body)}`);
  const { certificate, ca_chain, serial_number } = signed.body.data;
  return {
    cert: [certificate, ca_chain[0]].join('\n'),
    key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    serial: serial_number,
    privateKey: key.privateKey,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text === '' ? undefined : text;
  }
}
