import { globSync, readFileSync } from 'node:fs';
import type { Side } from './stage.ts';

/** What becomes of one of the requests on a connection. */
export type Expected =
  | { readonly seen: string }
  | { readonly refused: { readonly status: number; readonly code: string; readonly inBody?: true } }
  | { readonly incomplete: true };

export type RequestCase = {
  readonly name: string;
  readonly attack: string;
  readonly request: string;
  readonly expect: readonly Expected[];
  readonly outbound?: readonly Expected[];
  readonly side?: Side;
};

export type ResponseCase = {
  readonly name: string;
  readonly attack: string;
  readonly response: string;
  readonly method?: string;
  readonly close?: true;
  readonly early?: true;
  readonly rechunked?: true;
  readonly seen?: string;
  readonly refused?: string;
  readonly inBody?: true;
  readonly cut?: true;
  readonly failed?: string;
};

const folder = new URL('../vectors/smuggling/', import.meta.url);

/** The corpus in test/vectors/smuggling, family by family. */
export function corpus(kind: 'requests'): Map<string, readonly RequestCase[]>;
export function corpus(kind: 'responses'): Map<string, readonly ResponseCase[]>;
export function corpus(kind: string): Map<string, readonly (RequestCase | ResponseCase)[]> {
  const files = globSync(`${kind}-*.json`, { cwd: folder }).sort();
  return new Map(
    files.map((file) => [
      file.slice(kind.length + 1, -'.json'.length),
      JSON.parse(readFileSync(new URL(file, folder), 'utf8')).cases,
    ]),
  );
}

/** Longer messages come piece by piece rather than byte by byte. */
const LONG = 600;
const SAMPLES = 3;

/** The ways in which the bytes of a case arrive: whole, in the smallest pieces, and cut at places drawn from the case's own bytes. */
export function arrivals(text: string): Buffer[][] {
  const bytes = Buffer.from(text, 'latin1');
  const small = bytes.length > LONG ? Math.ceil(bytes.length / 100) : 1;
  const steps = Array.from({ length: Math.ceil(bytes.length / small) }, (_, i) => i * small);
  const random = drawn(text);
  const samples = Array.from({ length: SAMPLES }, () => [0, random(bytes.length), random(bytes.length)]);
  return [[0], steps, ...samples].map((starts) => cut(bytes, starts));
}

function cut(bytes: Buffer, starts: readonly number[]): Buffer[] {
  const sorted = [...new Set(starts)].sort((a, b) => a - b);
  return sorted.map((start, i) => bytes.subarray(start, sorted[i + 1]));
}

/** Numbers below a bound, the same ones for the same seed. */
function drawn(seed: string): (bound: number) => number {
  let state = 2_166_136_261;
  for (const c of seed) state = Math.imul(state ^ c.charCodeAt(0), 16_777_619);
  return (bound) => {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e3779b9;
    return (state >>> 0) % Math.max(1, bound);
  };
}
