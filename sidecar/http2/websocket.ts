import { randomBytes } from 'node:crypto';
import type { FieldList } from './fields.ts';

/** The one value of `:protocol` that is served (RFC 8441 §5). */
export const WEBSOCKET = 'websocket';

/** What a request for a WebSocket says in HTTP/1.1 and not in HTTP/2, with a key of our own. */
export function upgradeLines(): string {
  const key = randomBytes(KEY_BYTES).toString('base64');
  return `connection: Upgrade\r\nupgrade: websocket\r\n${KEY}: ${key}\r\n`;
}

/** A request for a WebSocket as HTTP/2 has it: without a key, for there is nothing to prove. */
export function withoutKey(list: FieldList): FieldList {
  return without(list, KEY);
}

/** The answer that accepts one as HTTP/2 has it, whatever protocol it came by. */
export function acceptance(list: FieldList): FieldList {
  return [':status', '200', ...without(list, ACCEPT).slice(STATUS_FIELD)];
}

/** The values of a name in a list. */
export function valuesIn(list: FieldList): (name: string) => string[] {
  return (name) => list.filter((_value, i) => i % 2 === 1 && list[i - 1] === name);
}

const KEY = 'sec-websocket-key';
const ACCEPT = 'sec-websocket-accept';
const KEY_BYTES = 16;
/** `:status` and its value, which come first. */
const STATUS_FIELD = 2;

function without(list: FieldList, name: string): FieldList {
  return list.filter((_text, i) => list[i & ~1] !== name);
}
