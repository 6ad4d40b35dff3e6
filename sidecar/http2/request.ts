import {
  type HeadLimits,
  NEED_MORE,
  type Refusal,
  type RequestHead,
  readOffer,
  refusalOf,
  scanRequest,
  type WebSocketOffer,
} from '../http1/index.ts';
import { addLines, type FieldList, isFieldName, isFieldValue, keptFields } from './fields.ts';
import * as refusals from './refusals.ts';
import { upgradeLines, WEBSOCKET, withoutKey } from './websocket.ts';

/** A request's head, put down as HTTP/1.1 has it. */
export type RequestText = {
  readonly bytes: Buffer;
  /** It ends where the bytes do: there is no body in them. */
  readonly end: number;
  /** The caller takes trailers: `te`, which belongs to one hop alone and so is not in the bytes. */
  readonly trailers: boolean;
  /** The caller said nothing of a length, and has no body: the length in the bytes is for HTTP/1.1 alone. */
  readonly lengthAdded: boolean;
  /** It asks for a WebSocket: by extended CONNECT (RFC 8441), put down as the upgrade that says the same. */
  readonly offer: WebSocketOffer | null;
};

/**
 * Reads a request's head strictly (RFC 9113 §8.2, §8.3) and puts it down as the one HTTP/1.1 head that says the same. That is scanned by
 * the scanner of HTTP/1.1 into `head`: what comes by either protocol is canonical in the same way, is judged by the same words, and what
 * goes on is read from these bytes.
 */
export function readRequest(
  raw: readonly string[],
  hasBody: boolean,
  limits: HeadLimits,
  head: RequestHead,
): RequestText | Refusal {
  let method: string | undefined;
  let scheme: string | undefined;
  let authority: string | undefined;
  let path: string | undefined;
  let protocol: string | undefined;
  let host: string | undefined;
  let cookie: string | undefined;
  let trailers = false;
  let framed = false;
  let pseudo = true;
  let lines = '';
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    if (!isFieldValue(value)) return name === ':path' ? refusals.PATH_BYTE : refusals.FIELD_VALUE;
    if (name.charCodeAt(0) === COLON) {
      // those that tell what is asked come first, each once
      if (!pseudo) return refusals.PSEUDO_FIELD;
      if (name === ':method' && method === undefined) method = value;
      else if (name === ':scheme' && scheme === undefined) scheme = value;
      else if (name === ':authority' && authority === undefined) authority = value;
      else if (name === ':path' && path === undefined) path = value;
      else if (name === ':protocol' && protocol === undefined) protocol = value;
      else return refusals.PSEUDO_FIELD;
      continue;
    }
    pseudo = false;
    if (!isFieldName(name)) return refusals.FIELD_NAME;
    switch (name) {
      case 'host':
        if (host !== undefined) return refusals.HOST;
        host = value;
        break;
      case 'cookie':
        // one field in HTTP/1.1, as many as the caller likes here (RFC 9113 §8.2.3)
        cookie = cookie === undefined ? value : `${cookie}; ${value}`;
        break;
      case 'te':
        if (value.toLowerCase() !== 'trailers') return refusals.CONNECTION_FIELD;
        trailers = true;
        break;
      case 'connection':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        return refusals.CONNECTION_FIELD;
      case 'content-length':
        if (!hasBody && value !== '0') return refusals.LENGTH;
        framed = true;
        lines += `content-length: ${value}\r\n`;
        break;
      case 'sec-websocket-key':
        // between the two ends of a stream there is nothing to prove (RFC 8441 §5)
        if (protocol === undefined) lines += `${name}: ${value}\r\n`;
        break;
      default:
        lines += `${name}: ${value}\r\n`;
    }
  }
  if (method === undefined || path === undefined) return refusals.PSEUDO_FIELD;
  if (protocol !== undefined) {
    if (method !== CONNECT) return refusals.PSEUDO_FIELD;
    if (protocol !== WEBSOCKET) return refusals.PROTOCOL;
    if (authority === undefined) return refusals.HOST;
    if (!hasBody) return refusals.HANDSHAKE;
    method = 'GET';
    lines += upgradeLines();
  }
  if (scheme !== 'https' && scheme !== 'http') return refusals.SCHEME;
  if (!METHOD.test(method)) return refusals.METHOD;
  if (!PATH.test(path)) return refusals.PATH_BYTE;
  if (path.charCodeAt(0) !== SLASH) return refusals.PATH_FORM;
  if (authority === undefined) authority = host;
  else if (host !== undefined && host.toLowerCase() !== authority.toLowerCase()) return refusals.HOST;
  if (authority === undefined) return refusals.HOST;
  if (cookie !== undefined) lines += `cookie: ${cookie}\r\n`;
  if (hasBody && !framed && protocol === undefined) lines += 'transfer-encoding: chunked\r\n';
  // an app may ask for a length where the method means to send something (RFC 9110 §8.6)
  const lengthAdded = !hasBody && !framed && SENDS.test(method);
  if (lengthAdded) lines += 'content-length: 0\r\n';
  const bytes = Buffer.from(`${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n${lines}\r\n`, 'latin1');
  const result = scanRequest(bytes, 0, bytes.length, limits, head);
  if (result < 0) {
    const refusal = refusalOf(result);
    return refusal.code === refusals.HANDSHAKE.code ? refusals.HANDSHAKE : refusal;
  }
  // the scanner of HTTP/1.1 sees another end than we put there
  if (result === NEED_MORE || result !== bytes.length) return refusals.FIELD_VALUE;
  head.via = 'h2';
  const offer = protocol === undefined ? null : readOffer(head);
  return { bytes, end: result, trailers, lengthAdded, offer };
}

/** The head as a request to another HTTP/2 server: what was scanned, `own` (whole header lines), and nothing else. */
export function requestFields(
  { bytes, trailers, lengthAdded, offer }: RequestText,
  head: RequestHead,
  scheme: 'http' | 'https',
  own: Buffer,
): FieldList {
  const { rewritten } = head.target;
  const target =
    rewritten === null
      ? bytes.toString('latin1', head.targetStart, head.targetEnd)
      : rewritten.toString('latin1');
  const start = [':method', head.method, ':scheme', scheme, ':authority', head.host, ':path', target];
  const kept = keptFields(bytes, head);
  if (lengthAdded) kept.splice(kept.indexOf('content-length'), 2);
  const list =
    offer === null
      ? start.concat(kept)
      : [':method', CONNECT, ':protocol', WEBSOCKET, ...start.slice(METHOD_FIELD), ...withoutKey(kept)];
  if (trailers) list.push('te', 'trailers');
  addLines(own, 0, own.length, list);
  return list;
}

const CONNECT = 'CONNECT';
/** `:method` and its value, which come first. */
const METHOD_FIELD = 2;
const COLON = 0x3a;
const SLASH = 0x2f;
const METHOD = /^[A-Z-]+$/;
/** No space and no control character: nothing that could end the target in a request line. */
const PATH = /^[\x21-\x7e\x80-\xff]+$/;
const SENDS = /^(?:POST|PUT|PATCH)$/;
