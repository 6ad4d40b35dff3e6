import { createReadStream } from 'node:fs';
import { LineSplitter, MAX_LINE_BYTES } from '../../lib/audit/index.ts';
import type { FullFile } from './log-file.ts';

/** A record's line, without its line break. */
export type Line = { readonly seq: number; readonly line: string };

const SEQ = /^\{"seq":(\d{1,16}),/;

/**
 * The lines of a log from record `from` on, as its files have them: what comes from memory no more. It ends where the files do, and a
 * file that was deleted meanwhile has no lines.
 */
export async function* readBack(files: readonly FullFile[], from: number): AsyncGenerator<Line> {
  const first = files.findLastIndex(({ firstSeq }) => firstSeq <= from);
  for (const { path } of files.slice(Math.max(first, 0))) {
    let found: Line[] = [];
    const splitter = new LineSplitter(MAX_LINE_BYTES, (bytes) => {
      const line = bytes?.toString() ?? '';
      const seq = Number(SEQ.exec(line)?.[1] ?? Number.NaN);
      if (seq >= from) found.push({ seq, line });
    });
    try {
      for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
        splitter.push(chunk);
        yield* found;
        found = [];
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
