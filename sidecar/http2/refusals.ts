import type { Refusal } from '../http1/index.ts';

/** Why the form of a message is refused, where HTTP/2 has rules of its own. */
function refusal(code: string, detail: string, status = 400): Refusal {
  return { status, code, detail };
}

export const PSEUDO_FIELD = refusal(
  'pseudo_header',
  'a request begins with :method, :scheme and :path, may name :authority, and with CONNECT :protocol, each once, and no other such field',
);
export const PROTOCOL = refusal('upgrade_refused', 'the only :protocol served is websocket', 501);
export const HANDSHAKE = refusal(
  'websocket_handshake',
  'a WebSocket begins with CONNECT and :protocol websocket, one Sec-WebSocket-Version, and no body',
);
export const SCHEME = refusal('scheme', ':scheme is neither https nor http');
export const METHOD = refusal('request_line_malformed', ':method is not a method');
export const HOST = refusal(
  'host',
  'a request names one host, by :authority or by Host, or by both if they agree',
);
export const PATH_FORM = refusal('target_form', ':path must be a path that starts with /');
export const PATH_BYTE = refusal('target_byte', ':path holds a byte that no path may hold');
export const FIELD_NAME = refusal(
  'header_name',
  'a header name is empty, has a capital, or holds a character that is not allowed',
);
export const FIELD_VALUE = refusal('header_value', 'a header value holds a control character');
export const CONNECTION_FIELD = refusal(
  'connection_option',
  'a header that is about a connection of HTTP/1.1, or te with anything but trailers',
);
export const LENGTH = refusal('content_length', 'Content-Length does not agree with the body');
export const TRAILER = refusal('trailer', 'the trailer section is malformed or too large');
export const TRAILER_NAME = refusal(
  'trailer_forbidden',
  "a trailer may not frame, route or authenticate a message, nor speak in Signet's name",
);
