import type { Readable, Writable } from 'node:stream';

/** Longer than any record of an audit: what has no line break for so long is passed on as it is. */
const MOST_HELD = 1024 * 1024;
const LF = 0x0a;

/**
 * Passes on what streams say, as fast as `sink` takes it, in pieces that end with a line: no line is torn by another's. When the sink fails,
 * what writes to the streams is told by their end.
 */
export function wholeLines(sink: Writable): (stream: Readable) => void {
  const streams = new Set<Readable>();
  let failed = false;
  sink.on('error', () => {
    failed = true;
    for (const stream of streams) stream.destroy();
  });
  sink.on('drain', () => {
    for (const stream of streams) stream.resume();
  });
  return (stream) => {
    let held: Buffer = Buffer.alloc(0);
    const pass = (piece: Buffer) => {
      if (!failed && !sink.write(piece)) for (const each of streams) each.pause();
    };
    streams.add(stream);
    stream.on('data', (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const end = held.length > MOST_HELD ? held.length : held.lastIndexOf(LF) + 1;
      if (end === 0) return;
      pass(held.subarray(0, end));
      held = held.subarray(end);
    });
    stream.on('end', () => {
      // a writer that was killed in the middle of a line
      if (held.length > 0) pass(Buffer.concat([held, Buffer.of(LF)]));
    });
    stream.on('error', () => {});
    stream.on('close', () => streams.delete(stream));
    if (failed) stream.destroy();
  };
}
