import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A fake of the EC2 instance metadata service that gives one identity document, by version 2 alone: `PUT /latest/api/token` with a lifetime
 * first, then `GET` with the token; without one, 401.
 */
export interface FakeMetadataService extends AsyncDisposable {
  readonly url: URL;
  /** What it gives as `rsa2048`. */
  document: string;
  /** Answers instead of it, where it says something. */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** What was asked, in order: `PUT /latest/api/token`. */
  readonly asked: readonly string[];
  /** As when the machine starts anew: no token of before is taken. */
  restart(): void;
}

const LIFETIME = 'x-aws-ec2-metadata-token-ttl-seconds';

export async function startFakeMetadataService(document: string): Promise<FakeMetadataService> {
  const tokens = new Map<string, number>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    if (service.instead?.(request, response)) return;
    const answer = (status: number, body = '', headers = {}) => {
      response.writeHead(status, { 'Content-Type': 'text/plain', Server: 'EC2ws', ...headers });
      response.end(body);
    };
    if (request.url === '/latest/api/token') {
      if (request.method !== 'PUT') return answer(405);
      const seconds = Number(request.headers[LIFETIME]);
      // The real one refuses what a proxy has passed on.
      if (!(seconds >= 1 && seconds <= 21_600)) return answer(400);
      if (request.headers['x-forwarded-for'] !== undefined) return answer(403);
      const token = `${randomBytes(40).toString('base64url')}==`;
      tokens.set(token, performance.now() + seconds * 1_000);
      return answer(200, token, { [LIFETIME]: seconds });
    }
    const until = tokens.get(String(request.headers['x-aws-ec2-metadata-token'])) ?? 0;
    if (until < performance.now()) return answer(401);
    if (request.method !== 'GET') return answer(405);
    if (request.url !== '/latest/dynamic/instance-identity/rsa2048') return answer(404);
    return answer(200, service.document);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const service: FakeMetadataService = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    document,
    instead: undefined,
    asked,
    restart: () => tokens.clear(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return service;
}
