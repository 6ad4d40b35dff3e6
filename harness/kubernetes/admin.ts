import { Agent, request } from 'node:https';
import type { User } from './pki.ts';

const PATIENCE_MS = 30_000;

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect of an answer
export type Answer = { readonly status: number; readonly body: any };

/** One call of the API server's HTTP API as the administrator. Gives back every HTTP status; throws only where there is no answer. */
export type Administrate = (method: string, path: string, body?: object) => Promise<Answer>;

/** Calls of the API server by a client certificate, over connections that are kept. */
export function administrator(url: string, caCert: string, { cert, key }: User) {
  const agent = new Agent({ keepAlive: true, ca: caCert, cert, key });
  const send: Administrate = (method, path, body) =>
    new Promise((resolve, reject) => {
      const sent = body === undefined ? '' : JSON.stringify(body);
      const headers = {
        'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
        // of itself Node gives DELETE none
        'content-length': Buffer.byteLength(sent),
      };
      const call = request(
        new URL(path, url),
        { method, agent, headers, timeout: PATIENCE_MS },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(text) }));
        },
      );
      call.on('timeout', () => call.destroy(new Error(`no answer to ${method} ${path}`)));
      call.on('error', reject);
      call.end(sent);
    });
  return { send, close: () => agent.destroy() };
}

/** As `send`, but anything else than success is thrown, with what the API server said. */
export function demanding(send: Administrate) {
  return async (method: string, path: string, body?: object) => {
    const answer = await send(method, path, body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
