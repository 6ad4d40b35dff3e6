import { type Diagnostic, problem } from './diagnostics.ts';
import type { Operation, Timeouts } from './resource.ts';
import type { Block, Schema } from './schema.ts';
import { isValues, type Values } from './values.ts';

/** The block that a configuration sets them in. */
export const TIMEOUTS = 'timeouts';
/** What an operation that names no timeout of its own has. */
const USUAL = 20 * 60_000;
const LONGEST = 24 * 3_600_000;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** The schema with the block `timeouts`, where there are any. */
export function withTimeouts(schema: Schema, timeouts: Timeouts | undefined): Schema {
  const named = Object.entries(timeouts ?? {});
  if (named.length === 0) return schema;
  const block: Block = {
    nesting: 'single',
    description: 'How long an operation may take, as `30s`, `10m` or `1h30m`; 24 hours at most.',
    attributes: Object.fromEntries(
      named.map(([operation, usual]) => [
        operation,
        {
          type: 'string',
          optional: true,
          description: `For ${operation}; \`${spell(usual)}\` if not set.`,
          validate: (value) =>
            typeof value === 'string' && parseDuration(value) !== undefined
              ? undefined
              : 'A duration is written like `30s`, `10m` or `1h30m`, and is at most 24 hours.',
        },
      ]),
    ),
  };
  return { ...schema, blocks: { ...schema.blocks, [TIMEOUTS]: block } };
}

/** Milliseconds that this operation may take by a configuration or a state. */
export function timeoutOf(operation: Operation, timeouts: Timeouts | undefined, values: Values): number {
  const block = values[TIMEOUTS];
  const set = isValues(block) ? block[operation] : undefined;
  const parsed = typeof set === 'string' ? parseDuration(set) : undefined;
  return parsed ?? timeouts?.[operation] ?? USUAL;
}

/** The state with the timeouts that `source` sets: a resource has none to tell. */
export function withTimeoutsOf(source: Values, state: Values, { blocks }: Schema): Values {
  return blocks?.[TIMEOUTS] ? { ...state, [TIMEOUTS]: source[TIMEOUTS] ?? null } : state;
}

/** The operation ran out of time. */
export function timedOut(what: string, ms: number): Diagnostic {
  return problem(
    `${what}: timed out`,
    `It was not done after ${spell(ms)} and was given up (TIMED_OUT). What was begun may have happened: the next run finds out.`,
  );
}

function parseDuration(text: string): number | undefined {
  if (!/^(\d{1,9}(\.\d{1,3})?(ms|s|m|h))+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const ms = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0);
  return ms > 0 && ms <= LONGEST ? Math.ceil(ms) : undefined;
}

function spell(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const [h, m, s] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  return [h && `${h}h`, m && `${m}m`, s && `${s}s`].filter(Boolean).join('');
}
