import { createServer as createHttp, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createServer, type TLSSocket } from 'node:tls';
import { type CertificateOptions, createCa, type TestCa } from '../support/ca.ts';

export type Asked = {
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  readonly body: any;
  /** The serial of the client's certificate, undefined when it showed none. */
  readonly client: string | undefined;
  readonly exporter: Buffer;
  /** Counts connections: requests of one number came over one connection. */
  readonly connection: number;
};

export type Answer = {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
};

/** The Vault that its grants are for, a stand-in or a real one. */
export type GrantSource = {
  readonly address: string;
  /** The root of the bundle that it tells. */
  readonly root: { readonly der: Uint8Array };
  /** Gives a wrapping token made by this path. */
  wrap(creationPath: string): string | Promise<string>;
};

export type BrokerOptions = {
  readonly vault: GrantSource;
  readonly id?: string;
  readonly certificate?: CertificateOptions;
  /** What its callers pin; left out, a CA of its own. */
  readonly pinned?: TestCa;
  /** Issues its own certificate by this CA instead of the one that its callers pin. */
  readonly issuer?: TestCa;
};

/** A broker that says what a test wants to hear. By default it accepts all evidence, and its grants are good. */
export interface ScriptedBroker extends AsyncDisposable {
  readonly url: URL;
  /** The CA that callers are to pin, PEM. */
  readonly ca: string;
  readonly asked: readonly Asked[];
  /** Replaces the answer to a path, its query left out; undefined in its place gives the usual one, `drop` ends the connection, `silence` does nothing. */
  answers: Record<string, (asked: Asked) => Answer | 'drop' | 'silence' | undefined>;
  /** How far its clock is ahead of ours. */
  clockMs: number;
  /** The SPIFFE ID and lifetime it grants. */
  granted: { id: string; ttl: string; ttlSeconds: number };
  /** Changes the usual answer to `/v1/attest`. */
  // biome-ignore lint/suspicious/noExplicitAny: tests break the answer in ways its type would not allow
  distort: (answer: any) => unknown;
}

const CREATION_PATH = 'auth/token/create/signet-acme.shop_orders';

export async function startScriptedBroker(options: BrokerOptions): Promise<ScriptedBroker> {
  const { vault } = options;
  const pinned = options.pinned ?? (await createCa('example.org'));
  const issuer = options.issuer ?? pinned;
  const own = await issuer.leaf(options.id ?? 'spiffe://example.org/signet/broker', options.certificate);
  const asked: Asked[] = [];
  let [generation, connections] = [0, 0];
  const numbers = new WeakMap<object, number>();

  const http = createHttp((request, response) => {
    void read(request).then(async (one) => {
      asked.push(one);
      const [path = ''] = one.path.split('?');
      // nothing is published: who asks for policies waits
      if (path === '/v1/policies' && broker.answers[path] === undefined) return;
      const answer = broker.answers[path]?.(one) ?? (await usual(one));
      if (answer === 'silence') return;
      if (answer === 'drop') {
        request.socket.destroy();
        return;
      }
      response
        .writeHead(answer.status, { 'Content-Type': 'application/json', ...answer.headers })
        .end(JSON.stringify(answer.body));
    });
  });
  const read = async (request: IncomingMessage): Promise<Asked> => {
    const socket = request.socket as TLSSocket;
    return {
      path: request.url ?? '',
      body: JSON.parse((await text(request)) || 'null'),
      client: socket.getPeerX509Certificate()?.serialNumber,
      exporter: socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)),
      connection: numbers.get(socket) ?? 0,
    };
  };
  const usual = async ({ path }: Asked): Promise<Answer> => {
    const serverTime = new Date(Date.now() + broker.clockMs);
    if (path === '/v1/challenge') {
      const expires = new Date(serverTime.getTime() + 60_000);
      return {
        status: 201,
        body: {
          challenge: 'the-challenge',
          expires_at: expires,
          trust_domain: 'example.org',
          server_time: serverTime,
        },
      };
    }
    if (path === '/v1/alarms') return { status: 202, body: {} };
    const body = {
      spiffe_id: broker.granted.id,
      ttl: broker.granted.ttl,
      ttl_seconds: broker.granted.ttlSeconds,
      instance: { id: 'instance-1', generation: ++generation },
      grant: {
        wrapping_token: await vault.wrap(CREATION_PATH),
        creation_path: CREATION_PATH,
        expires_at: new Date(serverTime.getTime() + 60_000).toISOString(),
      },
      vault: { address: vault.address, namespace: '', mount: 'signet-pki', role: 'workload' },
      bundles: {
        'example.org': {
          spiffe_sequence: 1,
          keys: [{ kty: 'EC', use: 'x509-svid', x5c: [Buffer.from(vault.root.der).toString('base64')] }],
        },
      },
      correlation_id: 'correlation-1',
    };
    await broker.distort(body);
    return { status: 201, body };
  };

  const server = createServer(
    {
      cert: own.pem,
      key: own.privateKeyPem,
      minVersion: 'TLSv1.3',
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    },
    (socket) => {
      numbers.set(socket, ++connections);
      http.emit('connection', socket);
    },
  );
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const broker: ScriptedBroker = {
    url: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`),
    ca: pinned.pem,
    asked,
    answers: {},
    clockMs: 0,
    granted: { id: 'spiffe://example.org/ns/shop/sa/orders', ttl: '15m', ttlSeconds: 900 },
    distort: () => {},
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return broker;
}
