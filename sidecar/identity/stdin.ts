import type { Readable } from 'node:stream';

/** Longer than any join code. */
const MAX_CHARS = 4_096;

/**
 * The first line of a stream, or all of it where it ends without a line break. Then, or when the signal fires, the stream is let go of:
 * an open standard input would keep the process alive.
 */
export async function readLine(stream: Readable, signal: AbortSignal): Promise<string> {
  signal.addEventListener('abort', () => stream.destroy(), { once: true });
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    text += chunk;
    if (text.includes('\n') || text.length > MAX_CHARS) break;
  }
  return text.split('\n')[0]!.slice(0, MAX_CHARS);
}
