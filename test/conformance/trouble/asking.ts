import { once } from 'node:events';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';
import { openPlain } from '../../sidecar/http2/world.ts';
import { dialPlain } from '../../sidecar/sockets.ts';

/** What a caller makes of an answer. */
export type Heard = {
  readonly status: number;
  readonly body: string;
  /** It takes what it got for all there was. */
  readonly whole: boolean;
};

const NOTHING: Heard = { status: 0, body: '', whole: false };

/** One GET of `orders` at this address, or a POST of `body`, by the strictest reader of each protocol that we have. */
export const ASKERS: Readonly<Record<string, (address: string, body?: string) => Promise<Heard>>> = {
  'HTTP/1.1': async (address, body) => {
    const agent = new Agent();
    try {
      return await byHttp1(address, agent, body);
    } finally {
      agent.destroy();
    }
  },
  async 'HTTP/1.0'(address, body) {
    using client = await dialPlain(address);
    const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`;
    client.send(
      `${body === undefined ? 'GET' : 'POST'} /a HTTP/1.0\r\nHost: orders\r\n${length}\r\n${body ?? ''}`,
    );
    const text = await client.ends();
    const at = text.indexOf('\r\n\r\n');
    if (at === -1) return NOTHING;
    const told = /^content-length: (\d+)\r$/im.exec(text.slice(0, at + 2));
    const rest = text.slice(at + 4);
    // without a length its end is that of the connection, if that is no reset
    const whole = told === null ? client.error === null : rest.length === Number(told[1]);
    return { status: Number(text.slice(9, 12)), body: rest, whole };
  },
  async 'HTTP/2'(address, body) {
    const session = await openPlain(address);
    try {
      const method = body === undefined ? 'GET' : 'POST';
      const fields = { ':authority': 'orders', ':path': '/a', ':method': method };
      const stream = session.request(fields, { endStream: body === undefined });
      let [status, text, whole] = [0, '', false];
      stream.on('error', () => {});
      stream.on('response', (head) => (status = Number(head[':status'])));
      stream.setEncoding('latin1').on('data', (piece: string) => (text += piece));
      stream.on('end', () => (whole = !stream.aborted));
      // node's own client ends a stream that is given more at once
      if (body !== undefined) Readable.from(piecesOf(body)).pipe(stream);
      await new Promise((resolve) => stream.on('close', resolve));
      return { status, body: text, whole: whole && stream.rstCode === 0 };
    } finally {
      session.destroy();
    }
  },
};

function* piecesOf(text: string): Generator<Buffer> {
  for (let at = 0; at < text.length; at += 65_536) yield Buffer.from(text.slice(at, at + 65_536));
}

async function byHttp1(address: string, agent: Agent, body: string | undefined): Promise<Heard> {
  const [host, port] = address.split(':');
  const method = body === undefined ? 'GET' : 'POST';
  const asked: ClientRequest = request({
    host,
    port,
    agent,
    method,
    path: '/a',
    headers: { Host: 'orders' },
  });
  asked.end(body);
  try {
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    asked.on('error', () => {});
    let text = '';
    response.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    response.on('error', () => {});
    await new Promise((resolve) => response.on('close', resolve));
    return { status: response.statusCode ?? 0, body: text, whole: response.complete };
  } catch {
    return NOTHING;
  }
}
