import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  bodyClaim,
  type Channel,
  channelOf,
  EXPORTER_BYTES,
  EXPORTER_LABEL,
  isCovered,
  type ProvenRequest,
} from '../../lib/fingerprint/index.ts';
import type { RequestHead } from '../http1/index.ts';

const QUESTION = 0x3f;
const CRLF_BYTES = 2;
const NO_CONTEXT = Buffer.alloc(0);

/** What is proven of the request with this head, behind which its body stands if it is covered. */
export function provenRequest(head: RequestHead): ProvenRequest {
  const { method, host, target } = head;
  const body = bodyClaim(head, isCovered(head) ? bodyOf(head) : null);
  return { method, host, path: target.path, query: queryOf(head), body };
}

/** Of a TLS connection whose handshake is over. */
export function channelOn(socket: Socket): Channel {
  const tls = socket as TLSSocket;
  return channelOf(tls.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, NO_CONTEXT));
}

/** Null: it is not there. A proof says then that it is not covered, which nobody accepts of a body that has to be. */
function bodyOf({ bytes, linesEnd, contentLength }: RequestHead): Buffer | null {
  const start = linesEnd + CRLF_BYTES;
  return start + contentLength <= bytes.length ? bytes.subarray(start, start + contentLength) : null;
}

function queryOf({ bytes, target, targetStart, targetEnd }: RequestHead): Buffer | null {
  const { path, rewritten } = target;
  // the usual case: what was received is the path, byte for byte
  if (rewritten === null && targetEnd - targetStart === path.length) return null;
  const whole = rewritten ?? bytes.subarray(targetStart, targetEnd);
  const at = whole.indexOf(QUESTION);
  return at === -1 ? null : whole.subarray(at + 1);
}
