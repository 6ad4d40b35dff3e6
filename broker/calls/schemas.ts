import {
  DURATION_COUNTS,
  EFFECTS,
  LONGEST_PATH,
  LONGEST_ROUTE,
  MOST_ROWS,
  MOST_SAMPLES,
  STATUS_CLASSES,
} from '../../lib/calls/index.ts';
import { instant, type JsonSchema, list, object, ref, type Schemas, text } from '../schema.ts';

const count: JsonSchema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const caller: JsonSchema = {
  type: 'string',
  maxLength: 2048,
  pattern: '^(anonymous|other|spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*)$',
};
const method: JsonSchema = { type: 'string', pattern: '^(_OTHER|[A-Z]{1,16})$' };
/** Nothing that could move a terminal's cursor, and no query. */
const printable = (maxLength: number): JsonSchema => ({
  ...text(maxLength),
  pattern: '^[!-"$->@-~]*$',
});
const effect: JsonSchema = {
  enum: EFFECTS,
  description: '`none`: refused before it could be judged',
};
const ms: JsonSchema = { type: 'number', minimum: 0 };
const name: JsonSchema = { type: 'string', pattern: '^[A-Za-z0-9._-]{0,128}$' };

const sample: Readonly<Record<string, JsonSchema>> = {
  ...{ method, path: printable(LONGEST_PATH), effect, decision: name, code: name },
  status: { type: ['integer', 'null'], minimum: 100, maximum: 599 },
  ms,
};
const counts: Readonly<Record<string, JsonSchema>> = {
  count,
  denied: count,
  refused: { ...count, description: 'before they could be judged' },
  errors: count,
  error_share: { type: 'number', minimum: 0, description: 'of those that were let through' },
  dry_run: { ...count, description: 'for which a dry-run rule held' },
  received: { ...count, description: 'bytes of bodies' },
  sent: count,
  p50_ms: { type: ['number', 'null'] },
  p99_ms: { type: ['number', 'null'] },
};

/** What sidecars tell of calls, and what is told of that. */
export const callSchemas: Schemas = {
  CallReport: object({
    reporter: { type: 'string', pattern: '^[A-Za-z0-9_-]{22}$', description: 'one process of the workload' },
    seq: { ...count, description: 'of its messages' },
    minute: { ...count, maximum: 100_000_000, description: 'minutes since 1970' },
    rows: {
      ...list(
        object({
          ...{ caller, method, route: printable(LONGEST_ROUTE), effect, rule: name },
          status: { enum: STATUS_CLASSES },
          ...{ count, errors: count, dry_run: count, received: count, sent: count },
          durations: { ...list(count, DURATION_COUNTS), minItems: DURATION_COUNTS },
        }),
        MOST_ROWS,
      ),
      minItems: 1,
    },
    samples: list(object({ caller, ...sample }), MOST_SAMPLES),
  }),
  ServiceMap: object({
    minutes: { type: 'integer', minimum: 1, maximum: 60 },
    edges: list(ref('ServiceEdge')),
    edges_more: count,
    reports_dropped: {
      ...count,
      description: 'let go of before their hour was over, since this broker began',
    },
  }),
  ServiceEdge: object({
    caller,
    service: text(2048),
    ...counts,
    routes: list(object({ method, route: text(LONGEST_ROUTE), ...counts })),
    routes_more: count,
    samples: list(object({ minute: instant, ...sample })),
  }),
};
