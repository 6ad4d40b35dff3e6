import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFolder, type Platform } from '../../setup/image-parts.mjs';
import { withoutUnloaded } from './elf.ts';

/** The pinned Node of a platform without its symbols, and what it says of its licence. */
export function nodeFiles(platform: Platform): { readonly program: Buffer; readonly licence: Buffer } {
  const read = (name: string) => readFileSync(join(nodeFolder(platform), name));
  return { program: withoutUnloaded(read('bin/node')), licence: read('LICENSE') };
}
