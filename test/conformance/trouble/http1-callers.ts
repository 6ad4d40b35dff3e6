import { randomUUID } from 'node:crypto';
import { Agent, type ClientRequest, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { textOf } from './shop-app.ts';
import { AGAIN, type Caller, OK, type Place, told } from './traffic.ts';

/** GET and POST in turns over one kept connection. */
export function keptCaller(place: Place, prefix = '/kept'): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let number = 0;
  return {
    once: async () => [
      await exchange(place, agent, number % 2 === 0 ? 'GET' : 'POST', `${prefix}/${number++}`),
    ],
    close: () => agent.destroy(),
  };
}

/** GETs, each over a new connection. */
export function newCaller(place: Place): Caller {
  let number = 0;
  return {
    once: async () => [await exchange(place, false, 'GET', `/new/${number++}`)],
    close: () => {},
  };
}

/** One exchange; its outcome. */
export function exchange(
  place: Place,
  agent: Agent | false,
  method: 'GET' | 'POST',
  path: string,
  id: string = randomUUID(),
): Promise<string> {
  const [host, port] = place.http.split(':');
  const body = method === 'POST' ? `${id} `.repeat(1 + (path.length % 40)) : '';
  const headers = {
    Host: 'orders',
    'X-Request-Id': id,
    ...(method === 'POST' ? { 'Content-Length': body.length } : {}),
  };
  return new Promise((resolve) => {
    const asked: ClientRequest = request({ host, port, agent, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (piece: string) => (text += piece));
      response.on('error', ({ message }) => resolve(`cut: ${message}`));
      response.on('end', () => {
        if (response.statusCode !== 200) resolve(told(response.statusCode ?? 0, text));
        else resolve(text === (body || textOf(path)) ? OK : 'another answer');
      });
    });
    asked.on('error', ({ code, message }: NodeJS.ErrnoException) =>
      resolve(code === 'ECONNREFUSED' || method === 'GET' ? AGAIN : (code ?? message)),
    );
    asked.end(body);
  });
}

const AT_ONCE = 5;

/** Several GETs at once on one connection, of which each has to be answered in its turn. */
export function pipeliningCaller(place: Place): Caller {
  let socket: Socket | null = null;
  let received = '';
  let number = 0;
  let wake = () => {};
  const open = () => {
    const [host, port] = place.http.split(':');
    const fresh = connect(Number(port), host);
    received = '';
    fresh.setEncoding('latin1');
    fresh.on('data', (piece: string) => {
      received += piece;
      wake();
    });
    fresh.on('error', () => {});
    fresh.on('close', () => {
      if (socket === fresh) socket = null;
      wake();
    });
    return fresh;
  };
  return {
    async once() {
      socket ??= open();
      const used = socket;
      const paths = Array.from({ length: AT_ONCE }, () => `/piped/${number++}`);
      used.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: orders\r\n\r\n`).join(''));
      const outcomes: string[] = [];
      while (outcomes.length < AT_ONCE) {
        const answer = firstOf(received);
        if (answer !== null) {
          received = received.slice(answer.length);
          const right = answer.body === textOf(paths[outcomes.length]!);
          outcomes.push(
            answer.status !== 200 ? told(answer.status, answer.body) : right ? OK : 'another answer',
          );
        } else if (socket !== used) {
          // a GET may be asked again; half an answer is one that nobody could take for whole
          while (outcomes.length < AT_ONCE) outcomes.push(AGAIN);
        } else await new Promise<void>((resolve) => (wake = resolve));
      }
      return outcomes;
    },
    close: () => socket?.destroy(),
  };
}

/** The first response in the text, by its length or its chunks; null while it is not whole. */
function firstOf(
  text: string,
): { readonly status: number; readonly body: string; readonly length: number } | null {
  const head = text.indexOf('\r\n\r\n') + 4;
  if (head === 3) return null;
  const status = Number(text.slice(9, 12));
  const told = /^content-length: (\d+)\r$/im.exec(text.slice(0, head));
  if (told !== null) {
    const length = head + Number(told[1]);
    return text.length < length ? null : { status, body: text.slice(head, length), length };
  }
  let body = '';
  for (let at = head; ; ) {
    const line = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, line), 16);
    const end = line + 2 + size + 2;
    if (line === -1 || text.length < end) return null;
    if (size === 0) return { status, body, length: end };
    body += text.slice(line + 2, end - 2);
    at = end;
  }
}
