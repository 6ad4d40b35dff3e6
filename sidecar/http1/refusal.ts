/** Why a message is refused: the answer's status, a stable code, and one sentence for the person who sent it. */
export type Refusal = { readonly status: number; readonly code: string; readonly detail: string };

const refusals: Refusal[] = [];

/** Scanners return a position or, below zero, one of these; a number costs nothing to return. */
function refusal(status: number, code: string, detail: string): number {
  refusals.push({ status, code, detail });
  return -refusals.length;
}

/** What a scanner's result below zero means. */
export function refusalOf(result: number): Refusal {
  return refusals[-result - 1]!;
}

/** A scanner needs more bytes. No position is 0: a message is never empty. */
export const NEED_MORE = 0;

export const REQUEST_LINE = refusal(
  400,
  'request_line_malformed',
  'the request line is not METHOD SP target SP HTTP/1.1 CRLF',
);
export const METHOD_REFUSED = refusal(501, 'method_refused', 'CONNECT and TRACE are not served');
export const CONNECT_REFUSED = refusal(
  501,
  'connect_refused',
  'CONNECT is not served: TLS inside a tunnel would hide requests from policy; ask for http:// through this proxy, which speaks mTLS to the upstream',
);
export const VERSION = refusal(505, 'version_unsupported', 'HTTP/1.0 and HTTP/1.1 are served here');
export const TARGET_LONG = refusal(414, 'target_too_long', 'the request target is longer than is accepted');
export const TARGET_FORM = refusal(
  400,
  'target_form',
  'the request target must be a path that starts with /',
);
export const TARGET_HTTPS = refusal(
  400,
  'target_https',
  'a target of https is not served: ask for http:// through this proxy, which speaks mTLS to the upstream',
);
export const TARGET_AUTHORITY = refusal(
  400,
  'target_authority',
  'the target does not name a host, or names more than host and port',
);
export const TARGET_BYTE = refusal(
  400,
  'target_byte',
  'the path holds a byte that apps read in more than one way (one of \\ # ; or beyond visible ASCII)',
);
export const TARGET_ESCAPE = refusal(
  400,
  'target_escape',
  'the path holds an escape that is broken, or that hides a slash, a backslash or a control character',
);
export const TARGET_UTF8 = refusal(400, 'target_utf8', 'the escapes in the path are not UTF-8');
export const TARGET_DOTS = refusal(400, 'target_dot_segment', 'the path has a . or .. segment');
export const TARGET_EMPTY = refusal(400, 'target_empty_segment', 'the path has an empty segment');

export const HEAD_LARGE = refusal(431, 'head_too_large', 'the head is larger than is accepted');
export const HEAD_FIELDS = refusal(
  431,
  'too_many_headers',
  'the head has more header lines than are accepted',
);
export const FIELD_NAME = refusal(
  400,
  'header_name',
  'a header name is empty, folded, or holds a character that is not allowed',
);
export const FIELD_VALUE_BYTE = refusal(
  400,
  'header_value',
  'a header value holds a control character, or its line does not end with CRLF',
);
export const FIELD_ALIAS = refusal(
  400,
  'header_alias',
  'two header names, or one that frames the message, differ only in characters that apps take for each other',
);
export const HOST_COUNT = refusal(400, 'host', 'a request carries exactly one Host header');
export const HOST_VALUE = refusal(400, 'host', 'the Host header is not a host name or address');
export const HOST_TARGET = refusal(400, 'host', 'the Host header is not the host of the target');
export const LENGTH = refusal(
  400,
  'content_length',
  'Content-Length is repeated or is not one plain decimal number',
);
export const TRANSFER = refusal(501, 'transfer_encoding', 'the only transfer coding served is chunked, once');
export const FRAMED_TWICE = refusal(
  400,
  'framing_ambiguous',
  'the message has both Content-Length and Transfer-Encoding, or a coding its version does not know',
);
export const CONNECTION_OPTION = refusal(
  400,
  'connection_option',
  'Connection names a header that may not be dropped, or names too many',
);
export const EXPECTATION = refusal(
  417,
  'expectation',
  'the only expectation served is 100-continue, once, in HTTP/1.1',
);
export const UPGRADE = refusal(
  501,
  'upgrade_refused',
  'the connection cannot be upgraded to another protocol here',
);
export const WEBSOCKET = refusal(
  400,
  'websocket_handshake',
  'a WebSocket begins with GET in HTTP/1.1, Connection: Upgrade, one Sec-WebSocket-Key of 16 bytes, one Sec-WebSocket-Version, no body',
);
export const WEBSOCKET_VERSION = refusal(426, 'websocket_version', 'the version of WebSocket served is 13');
export const UPGRADE_PIPELINED = refusal(
  400,
  'upgrade_pipelined',
  'nothing may follow a request to upgrade before it is answered',
);

export const STATUS_LINE = refusal(
  502,
  'status_line_malformed',
  'the status line is not HTTP/1.1 SP status SP reason CRLF',
);

export const CHUNK_SIZE = refusal(400, 'chunk_size', 'a chunk size is not plain hexadecimal ended by CRLF');
export const CHUNK_EXTENSION = refusal(400, 'chunk_extension', 'chunk extensions are not accepted');
export const CHUNK_END = refusal(400, 'chunk_end', 'a chunk does not end where its size says');
export const TRAILER = refusal(400, 'trailer', 'the trailer section is malformed or too large');
export const TRAILER_NAME = refusal(
  400,
  'trailer_forbidden',
  "a trailer may not frame, route or authenticate a message, nor speak in Signet's name",
);
export const BODY_LARGE = refusal(413, 'body_too_large', 'the body is larger than is accepted');
