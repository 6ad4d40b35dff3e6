import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';

/** One call on its way to Vault. */
export type ProxiedCall = { readonly method: string; readonly path: string; readonly token: string };

/**
 * - `pass`: as if there were no proxy.
 * - `lose`: the connection dies before Vault sees the call.
 * - `lose-answer`: Vault does it, and the connection dies before the answer.
 * - `seal`: 503, as a sealed Vault says it.
 */
export type Fate = 'pass' | 'lose' | 'lose-answer' | 'seal';

/** A real Vault behind a bad line. */
export interface VaultProxy extends AsyncDisposable {
  readonly address: string;
  /** Every call since the start, in order, whatever became of it. */
  readonly calls: readonly ProxiedCall[];
  /** Decides what becomes of each call. */
  fate: (call: ProxiedCall) => Fate;
  /** How long each call is held up before it goes on. */
  delayMs: number;
}

export async function startVaultProxy(vault: string): Promise<VaultProxy> {
  const calls: ProxiedCall[] = [];
  const server = createServer((incoming, outgoing) => {
    const call = {
      method: incoming.method ?? '',
      path: (incoming.url ?? '').replace('/v1/', ''),
      token: String(incoming.headers['x-vault-token'] ?? ''),
    };
    calls.push(call);
    const fate = proxy.fate(call);
    void handle(fate, incoming, outgoing).catch(() => incoming.socket.destroy());
  });

  const handle = async (fate: Fate, incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (proxy.delayMs > 0) await wait(proxy.delayMs);
    if (fate === 'lose') return void incoming.socket.destroy();
    if (fate === 'seal') {
      outgoing.writeHead(503, { 'content-type': 'application/json' });
      return void outgoing.end('{"errors":["Vault is sealed"]}');
    }
    const onward = request(`${vault}${incoming.url}`, {
      method: incoming.method,
      headers: { ...incoming.headers, connection: 'close' },
      agent: false,
    });
    incoming.pipe(onward);
    const [answer] = (await once(onward, 'response')) as [IncomingMessage];
    const body = await buffer(answer);
    if (fate === 'lose-answer') return void incoming.socket.destroy();
    outgoing.writeHead(answer.statusCode ?? 502, {
      'content-type': 'application/json',
      'content-length': body.length,
    });
    outgoing.end(body);
  };

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: VaultProxy = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    fate: () => 'pass',
    delayMs: 0,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return proxy;
}
