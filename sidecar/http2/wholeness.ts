import { constants, type Http2Stream } from 'node:http2';
import { Readable } from 'node:stream';

const WHOLE = Symbol('whole');
type Watched = Http2Stream & { [WHOLE]?: boolean };

/**
 * Notes when the peer ends its side by END_STREAM. Node ends a stream that was reset in the same way as one that is complete; a request or
 * a response cut in the middle must not be taken for a whole one. Call when the stream is made.
 */
export function watchEnd(stream: Http2Stream): void {
  // node tells of a stream that came with the first bytes of its connection only after it has read all of it
  if (!stream.closed && stream.state.remoteClose === 1) (stream as Watched)[WHOLE] = true;
  stream.push = push;
}

/** Whether the peer ended its side by END_STREAM. */
export function isWhole(stream: Http2Stream): boolean {
  return (stream as Watched)[WHOLE] === true;
}

/** Node tells of an end before it marks a stream as closed, and of a reset after. */
function push(this: Readable, chunk: unknown, encoding?: BufferEncoding): boolean {
  const stream = this as Watched;
  if (chunk === null && !stream.closed) stream[WHOLE] = true;
  return Readable.prototype.push.call(this, chunk, encoding);
}

/**
 * Resets a stream so that what was sent of it cannot be taken for a whole message: `close()` alone would end our side by END_STREAM
 * before it sends RST_STREAM.
 */
export function cutOff(stream: Http2Stream, code: number = constants.NGHTTP2_CANCEL): void {
  if (stream.closed || stream.destroyed) return;
  stream.end = () => stream;
  stream.close(code);
}
