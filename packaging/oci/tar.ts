import type { Entry } from '../parts/entry.ts';

const BLOCK = 512;

/**
 * The entries as a ustar archive: sorted by path, owned by root, without times, so that the same entries are the same bytes.
 *
 * @throws Error for a path that occurs twice or is too long for ustar
 */
export function writeTar(entries: readonly Entry[]): Buffer {
  const blocks: Uint8Array[] = [];
  for (const entry of withFolders(entries)) {
    const content = entry.kind === 'file' ? entry.content : Buffer.alloc(0);
    blocks.push(header(entry, content.length), content, Buffer.alloc(padding(content.length)));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function withFolders(entries: readonly Entry[]): Entry[] {
  const byPath = new Map<string, Entry>();
  for (const entry of entries) {
    if (byPath.has(entry.path)) throw new Error(`two entries for ${entry.path}`);
    byPath.set(entry.path, entry);
  }
  for (const { path } of entries)
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const above = path.slice(0, at);
      if (!byPath.has(above)) byPath.set(above, { path: above, kind: 'folder' });
    }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

const TYPES = { file: '0', link: '2', folder: '5' } as const;

function header(entry: Entry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const [name, prefix] = splitPath(entry.kind === 'folder' ? `${entry.path}/` : entry.path);
  const mode = entry.kind === 'link' ? 0o777 : (entry.mode ?? (entry.kind === 'folder' ? 0o755 : 0o644));
  const octal = (value: number, at: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, '0'), at, 'latin1');
  block.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8); // user
  octal(0, 116, 8); // group
  octal(size, 124, 12);
  octal(0, 136, 12); // time
  block.write(TYPES[entry.kind], 156);
  if (entry.kind === 'link') {
    if (Buffer.byteLength(entry.target) > 100) throw new Error(`too long for ustar: ${entry.target}`);
    block.write(entry.target, 157);
  }
  block.write('ustar\x0000', 257, 'latin1');
  block.write(prefix, 345);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** ustar has 100 bytes for the name and 155 for the folders before it. */
function splitPath(path: string): [name: string, prefix: string] {
  if (Buffer.byteLength(path) <= 100) return [path, ''];
  const at = path.indexOf('/', path.length - 101);
  const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
  if (at < 1 || name === '' || Buffer.byteLength(name) > 100 || Buffer.byteLength(prefix) > 155)
    throw new Error(`too long for ustar: ${path}`);
  return [name, prefix];
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
