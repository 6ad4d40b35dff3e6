import { hash } from 'node:crypto';
import type { Seen } from '../sockets.ts';

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** RFC 6455 §1.3 */
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** The request to become a WebSocket, with these lines beside. */
export function asking(lines = '', path = '/chat'): string {
  return `GET ${path} HTTP/1.1\r\nHost: orders\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${lines}\r\n`;
}

/** A whole 101 for `KEY`, with `lines` beside. */
export function switching(lines = `Sec-WebSocket-Accept: ${ACCEPT}\r\n`): string {
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${lines}\r\n`;
}

/** An app that accepts each WebSocket and sends back all bytes that come after. */
export function echoing(): (seen: Seen) => void {
  const begun = new WeakMap<Seen, number>();
  return (seen) => {
    const from = begun.get(seen);
    if (from !== undefined) {
      seen.socket.write(Buffer.from(seen.received.slice(from), 'latin1'));
      begun.set(seen, seen.received.length);
      return;
    }
    const end = seen.received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const key = /^sec-websocket-key: (.+)\r$/im.exec(seen.received)?.[1] ?? '';
    const accept = hash('sha1', `${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`, 'base64');
    seen.socket.write(switching(`Sec-WebSocket-Accept: ${accept}\r\n`));
    begun.set(seen, end + 4);
  };
}
