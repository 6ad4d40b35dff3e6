import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCa } from '../support/ca.ts';

export type Asked = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};
type Handler = (asked: Asked, response: ServerResponse) => void;

/** Something that speaks as an API server does, for answers that a real one gives rarely or never. */
export interface FakeApiServer extends AsyncDisposable {
  readonly url: URL;
  /** PEM. */
  readonly ca: string;
  /** Its folder; what a test writes there goes with it. */
  readonly dir: string;
  readonly asked: Asked[];
  answer(handler: Handler): void;
  answerJson(status: number, body: unknown): void;
  /** The file of a kubeconfig for it; `user` and `cluster` over what it needs. */
  kubeconfig(user: object, cluster?: object): Promise<string>;
}

export async function startFakeApiServer(): Promise<FakeApiServer> {
  const ca = await createCa();
  const leaf = await ca.leaf('spiffe://example.org/api', { sans: [{ type: 'ip', value: '127.0.0.1' }] });
  const dir = await mkdtemp(join(tmpdir(), 'signet-api-'));
  const asked: Asked[] = [];
  let handler: Handler = (_asked, response) => void response.end('{}');
  const server = createServer({ key: leaf.privateKeyPem, cert: leaf.pem }, async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url = '', headers } = request;
    asked.push({ method, url, headers, body });
    handler({ method, url, headers, body }, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  let made = 0;
  return {
    url,
    ca: ca.pem,
    dir,
    asked,
    answer(given) {
      handler = given;
    },
    answerJson(status, body) {
      handler = (_asked, response) => void response.writeHead(status).end(JSON.stringify(body));
    },
    async kubeconfig(user, cluster = {}) {
      const file = join(dir, `kubeconfig-${++made}`);
      const data = Buffer.from(ca.pem).toString('base64');
      const config = {
        clusters: [
          { name: 'c', cluster: { server: url.origin, 'certificate-authority-data': data, ...cluster } },
        ],
        users: [{ name: 'u', user }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      };
      await writeFile(file, JSON.stringify(config));
      return file;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(dir, { recursive: true, force: true });
    },
  };
}
