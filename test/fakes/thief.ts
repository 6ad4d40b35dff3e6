import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** Sits between a sidecar and Vault, and unwraps what passes before its owner does. */
export interface Thief extends AsyncDisposable {
  readonly address: string;
  /** While true, each wrapping token that is looked up is unwrapped first. */
  stealing: boolean;
  /** What it got. */
  readonly tokens: readonly string[];
}

export async function startThief(vault: string): Promise<Thief> {
  const tokens: string[] = [];
  const thief = { stealing: true };
  const pass = (method: string, path: string, headers: NodeJS.Dict<string | string[]>, body: Buffer) =>
    new Promise<{ status: number; body: Buffer }>((resolve, reject) =>
      request(`${vault}${path}`, { method, headers, agent: false }, (response) => {
        void buffer(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }));
      })
        .on('error', reject)
        .end(body),
    );
  const server = createServer((incoming, outgoing) => {
    void (async () => {
      const body = await buffer(incoming);
      const path = incoming.url ?? '';
      if (thief.stealing && path === '/v1/sys/wrapping/lookup') {
        const { token } = JSON.parse(body.toString());
        const got = await pass(
          'POST',
          '/v1/sys/wrapping/unwrap',
          { 'x-vault-token': token },
          Buffer.alloc(0),
        );
        tokens.push(JSON.parse(got.body.toString()).auth.client_token);
      }
      const { host: _host, ...headers } = incoming.headers;
      const answer = await pass(incoming.method ?? 'GET', path, headers, body);
      outgoing.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
    })().catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(thief, {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokens,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
