/** What a 64-bit little-endian ELF file says of itself that a loader needs. */
export interface Elf {
  readonly machine: 'amd64' | 'arm64';
  /** The loader it asks for: `/lib64/ld-linux-x86-64.so.2`. */
  readonly interpreter: string | undefined;
  /** The libraries it asks for, by soname. */
  readonly needed: readonly string[];
}

const MACHINES: Readonly<Record<number, Elf['machine']>> = { 62: 'amd64', 183: 'arm64' };
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;

/** @throws Error for a file that is not ELF for a machine we build for */
export function readElf(bytes: Buffer): Elf {
  const segments = segmentsOf(bytes);
  const machine = MACHINES[bytes.readUInt16LE(18)];
  if (!machine) throw new Error('an ELF file for another machine');
  const interp = segments.find(({ type }) => type === PT_INTERP);
  return {
    machine,
    interpreter: interp && textAt(bytes, interp.offset),
    needed: neededBy(bytes, segments),
  };
}

/**
 * The file without what is never loaded: symbols, debug information, and the table of sections. Those stand behind the last segment; the
 * loader reads segments only.
 */
export function withoutUnloaded(bytes: Buffer): Buffer {
  const end = Math.max(...segmentsOf(bytes).map(({ offset, size }) => offset + size));
  const kept = Buffer.from(bytes.subarray(0, end));
  kept.writeBigUInt64LE(0n, 40); // e_shoff
  kept.fill(0, 60, 64); // e_shnum, e_shstrndx
  return kept;
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

function segmentsOf(bytes: Buffer): Segment[] {
  if (bytes.length < 64 || bytes.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    throw new Error('not a 64-bit little-endian ELF file');
  const [at, width, count] = [wordAt(bytes, 32), bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
  return Array.from({ length: count }, (_, i) => at + i * width).map((start) => ({
    type: bytes.readUInt32LE(start),
    offset: wordAt(bytes, start + 8),
    address: wordAt(bytes, start + 16),
    size: wordAt(bytes, start + 32),
  }));
}

function neededBy(bytes: Buffer, segments: readonly Segment[]): string[] {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (!dynamic) return [];
  const entries = Array.from({ length: dynamic.size / 16 }, (_, i) => dynamic.offset + i * 16).map(
    (at) => [wordAt(bytes, at), wordAt(bytes, at + 8)] as const,
  );
  const address = entries.find(([tag]) => tag === DT_STRTAB)?.[1] ?? 0;
  const home = segments.find(
    (each) => each.type === PT_LOAD && address >= each.address && address < each.address + each.size,
  );
  if (!home) throw new Error('an ELF file whose names are nowhere');
  const names = home.offset + address - home.address;
  return entries.filter(([tag]) => tag === DT_NEEDED).map(([, at]) => textAt(bytes, names + at));
}

function wordAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

function textAt(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
