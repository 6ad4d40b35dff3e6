import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A fake of the EC2 instance metadata service that gives one identity document, by version 2 alone: `PUT /latest/api/token` with a lifetime
 * first, then `GET` with the token; without one, 401.
 */
export interface MetadataService extends AsyncDisposable {
  readonly url: URL;
  /** What it gives as `rsa2048`. */
  document: string;
  /** Answers instead of it, where it says something. */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** What was asked, in order: `PUT /latest/api/token`. */
  readonly asked: readonly string[];
}

export async function startMetadataService(document: string): Promise<MetadataService> {
  const tokens = new Set<string>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    request.resume();
    if (service.instead?.(request, response)) return;
    const answer = (status: number, body = '') => {
      response.writeHead(status, { 'Content-Type': 'text/plain', Server: 'EC2ws' });
      response.end(body);
    };
    if (request.url === '/latest/api/token') {
      if (request.method !== 'PUT') return answer(405);
      const seconds = Number(request.headers['x-aws-ec2-metadata-token-ttl-seconds']);
      // The real one refuses what a proxy has passed on.
      if (!(seconds >= 1 && seconds <= 21_600)) return answer(400);
      if (request.headers['x-forwarded-for'] !== undefined) return answer(403);
      const token = `${randomBytes(40).toString('base64url')}==`;
      tokens.add(token);
      return answer(200, token);
    }
    if (!tokens.has(String(request.headers['x-aws-ec2-metadata-token']))) return answer(401);
    if (request.url !== '/latest/dynamic/instance-identity/rsa2048') return answer(404);
    return answer(200, service.document);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const service: MetadataService = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    document,
    instead: undefined,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return service;
}
