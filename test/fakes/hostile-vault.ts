import 'reflect-metadata';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { type CertificateOptions, createCa, p256Keys, type TestCa } from '../support/ca.ts';

/** What it signs in place of what was asked; left out, it signs exactly what was asked. */
export type Hostility = {
  /** Signs for this ID. */
  readonly id?: string;
  /** Certifies a key that is not the caller's. */
  readonly otherKey?: true;
  readonly leaf?: CertificateOptions;
  /** Signs with this CA, and says that it is the chain. */
  readonly issuer?: TestCa;
  /** Answers a signing request with this instead. */
  readonly answer?: { readonly status: number; readonly body: unknown };
};

/**
 * A stand-in for Vault that knows the three calls of a sidecar and can be told to misbehave: a real Vault will not sign a bad leaf.
 * Everything else is tested on a real one.
 */
export interface HostileVault extends AsyncDisposable {
  readonly address: string;
  readonly root: TestCa;
  readonly issuing: TestCa;
  hostility: Hostility;
  /** Gives a wrapping token that this Vault knows, made by this path. */
  wrap(creationPath: string): string;
  /** Unwraps, as a thief would. */
  steal(wrappingToken: string): void;
  /** Paths called so far, in order. */
  readonly calls: readonly string[];
  /** Called with the path of each call before it is answered. */
  onCall: (path: string) => void;
  /** Next calls of this path are dropped: the connection ends without an answer. */
  drop(path: string, times: number): void;
}

const GONE = { errors: ['wrapping token is not valid or does not exist'] };

export async function startHostileVault(trustDomain = 'example.org'): Promise<HostileVault> {
  const root = await createCa(trustDomain);
  const issuing = await root.intermediate();
  const wrapped = new Map<string, string>();
  const tokens = new Set<string>();
  const calls: string[] = [];
  const drops = new Map<string, number>();
  let made = 0;

  const vault = { hostility: {} as Hostility, onCall: (_path: string) => {} };
  const answer = async (
    request: IncomingMessage,
    path: string,
  ): Promise<{ status: number; body: unknown }> => {
    const body = await text(request);
    const token = String(request.headers['x-vault-token'] ?? '');
    if (path === 'sys/wrapping/lookup') {
      const creationPath = wrapped.get(JSON.parse(body).token);
      return creationPath === undefined
        ? { status: 400, body: GONE }
        : { status: 200, body: { data: { creation_path: creationPath, creation_ttl: 60 } } };
    }
    if (path === 'sys/wrapping/unwrap') {
      if (!wrapped.delete(token)) return { status: 400, body: GONE };
      const inner = `hvs.inner-${made++}`;
      tokens.add(inner);
      return { status: 200, body: { auth: { client_token: inner, num_uses: 1 } } };
    }
    if (!tokens.delete(token)) return { status: 403, body: { errors: ['permission denied'] } };
    if (vault.hostility.answer !== undefined) return vault.hostility.answer;
    return { status: 200, body: { data: await sign(JSON.parse(body), vault.hostility, issuing) } };
  };

  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/v1\//, '');
    calls.push(path);
    vault.onCall(path);
    const dropped = drops.get(path) ?? 0;
    if (dropped > 0) {
      drops.set(path, dropped - 1);
      request.socket.destroy();
      return;
    }
    void answer(request, path).then(({ status, body }) => {
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(vault, {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    root,
    issuing,
    calls,
    wrap(creationPath: string) {
      const token = `hvs.wrapping-${made++}`;
      wrapped.set(token, creationPath);
      return token;
    },
    steal: (token: string) => void wrapped.delete(token),
    drop: (path: string, times: number) => void drops.set(path, times),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

async function sign(order: { csr: string; uri_sans: string }, hostility: Hostility, honest: TestCa) {
  const issuer = hostility.issuer ?? honest;
  const asked = await new Pkcs10CertificateRequest(order.csr).publicKey.export();
  const keys = await p256Keys();
  const leaf = await issuer.leaf(hostility.id ?? order.uri_sans, {
    notAfter: new Date(Date.now() + 15 * 60_000),
    ...hostility.leaf,
    keys: hostility.otherKey ? keys : { publicKey: asked, privateKey: keys.privateKey },
  });
  return { certificate: leaf.pem, ca_chain: [issuer.pem], serial_number: 'not read' };
}
