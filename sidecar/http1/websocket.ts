import { hash } from 'node:crypto';
import { fieldValues, withoutSpace } from './field-lines.ts';
import * as refusals from './refusal.ts';
import type { RequestHead } from './request.ts';
import type { ResponseHead } from './response.ts';

/** What a request to become a WebSocket (RFC 6455 §4.1) offers; the answer may choose from it and from nothing else. */
export type WebSocketOffer = {
  /** The `Sec-WebSocket-Accept` that proves that the answer is to this request. */
  readonly accept: string;
  readonly protocols: readonly string[];
  readonly extensions: readonly string[];
};

/** What the hop itself says of the upgrade, in place of the lines that were dropped with `Connection`. */
export const UPGRADE_LINES = Buffer.from('connection: Upgrade\r\nupgrade: websocket\r\n');

/** Of 16 bytes, the base64 text that has no other spelling. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const VERSION = '13';

/** @returns 0, or why a request with `Upgrade: websocket` is refused; it takes the strictest reading of RFC 6455 §4.2.1 */
export function websocketFlaw(head: RequestHead): number {
  if (!head.upgradeNamed || head.upgrades !== 1) return refusals.UPGRADE;
  if (head.method !== 'GET' || !head.http11) return refusals.WEBSOCKET;
  if (head.chunked || head.contentLength !== -1 || head.expect || head.close) return refusals.WEBSOCKET;
  const versions = fieldValues(head.bytes, head, 'sec-websocket-version');
  if (versions.length !== 1) return refusals.WEBSOCKET;
  if (versions[0] !== VERSION) return refusals.WEBSOCKET_VERSION;
  const keys = fieldValues(head.bytes, head, 'sec-websocket-key');
  return keys.length === 1 && KEY.test(keys[0]!) ? 0 : refusals.WEBSOCKET;
}

/** The offer of a request in which `websocketFlaw` found none. */
export function readOffer(head: RequestHead): WebSocketOffer {
  const values = (name: string) => fieldValues(head.bytes, head, name);
  return {
    accept: hash('sha1', values('sec-websocket-key')[0] + GUID, 'base64'),
    protocols: listed(values('sec-websocket-protocol')),
    extensions: listed(values('sec-websocket-extensions')).map(withoutParameters),
  };
}

/** Whether this 101, which was read from `b`, accepts `offer` and promises no more than was offered (RFC 6455 §4.1). */
export function agreesTo(offer: WebSocketOffer, b: Buffer, head: ResponseHead): boolean {
  if (!head.http11 || head.chunked || head.contentLength !== -1 || head.close) return false;
  if (!head.websocket || head.upgrades !== 1 || !head.upgradeNamed) return false;
  const accepts = fieldValues(b, head, 'sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0] !== offer.accept) return false;
  return choosesFrom(offer, (name) => fieldValues(b, head, name));
}

/** Whether an answer, whose header values of a name `valuesOf` gives, promises no more than was offered. */
export function choosesFrom(offer: WebSocketOffer, valuesOf: (name: string) => readonly string[]): boolean {
  const protocols = valuesOf('sec-websocket-protocol');
  const extensions = listed(valuesOf('sec-websocket-extensions')).map(withoutParameters);
  return (
    protocols.length <= 1 &&
    protocols.every((protocol) => offer.protocols.includes(protocol)) &&
    extensions.every((extension) => offer.extensions.includes(extension))
  );
}

function listed(values: readonly string[]): string[] {
  return values
    .flatMap((value) => value.split(','))
    .map(withoutSpace)
    .filter((item) => item !== '');
}

function withoutParameters(extension: string): string {
  return withoutSpace(extension.split(';', 1)[0]!).toLowerCase();
}
