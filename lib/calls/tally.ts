import { routeOf } from '../risk/index.ts';
import { knownMethod, OTHER_METHOD } from '../telemetry/index.ts';
import { DURATION_COUNTS, placeOf } from './durations.ts';
import {
  type CallMinute,
  type CallRow,
  type CallSample,
  type Effect,
  LONGEST_PATH,
  LONGEST_ROUTE,
  MOST_ROWS,
  MOST_SAMPLES,
  OTHER,
  type StatusClass,
} from './report.ts';

/** What is counted of an exchange that is over. */
export type Call = {
  readonly caller: string;
  readonly method: string;
  /** Without its query. */
  readonly path: string;
  readonly effect: Effect;
  readonly rule: string;
  readonly dryRun: number;
  readonly decision: string;
  readonly code: string;
  readonly status: number | null;
  readonly received: number;
  readonly sent: number;
  readonly whole: boolean;
  readonly ms: number;
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
};

type Row = { -readonly [name in keyof CallRow]: CallRow[name] } & { durations: number[]; sampled: number };

const MINUTE_MS = 60_000;
/** Rows of one caller, who could else fill all by asking for paths that it makes up. */
const MOST_ROWS_OF_CALLER = 64;
/** Kept for what is told apart by nothing but effect and status: three times six. */
const REST = 18;
const SAMPLES_OF_ROW = 2;
const FIRST_SERVER_ERROR = 500;
const STRANGE = /[^!-~]|[?#]/;
const STRANGE_ALL = /[^!-~]|[?#]/g;

/** Counts exchanges by the minute in which they end. What it holds is bounded, whoever calls whatever. */
export class Tally {
  private minute = 0;
  private rows = new Map<string, Row>();
  private ofCaller = new Map<string, number>();
  private samples: CallSample[] = [];

  /** @returns the minute that is over, now that this exchange ended in a later one */
  add(call: Call): CallMinute | null {
    const minute = Math.floor((call.at + call.ms) / MINUTE_MS);
    const another = this.isOver(minute);
    const over = another ? this.take() : null;
    if (another) this.minute = minute;
    const row = this.rowOf(call);
    row.count++;
    if (isError(call)) row.errors++;
    if (call.dryRun > 0) row.dry_run++;
    row.received += call.received;
    row.sent += call.sent;
    const place = placeOf(call.ms);
    row.durations[place] = row.durations[place]! + 1;
    this.sample(call, row);
    return over;
  }

  /** @returns what was counted, once its minute is over */
  takeBefore(nowMs: number): CallMinute | null {
    return this.isOver(Math.floor(nowMs / MINUTE_MS)) ? this.take() : null;
  }

  /** Two that end together may be told in the wrong order; a clock that was set back begins another minute. */
  private isOver(minute: number): boolean {
    return minute > this.minute || minute < this.minute - 1;
  }

  /** @returns what was counted; null for nothing */
  take(): CallMinute | null {
    const { minute, samples } = this;
    if (this.rows.size === 0) return null;
    const rows = Array.from(this.rows.values(), ({ sampled: _sampled, ...row }): CallRow => row);
    this.rows = new Map();
    this.ofCaller = new Map();
    this.samples = [];
    return { minute, rows, samples };
  }

  private rowOf({ caller, method, path, effect, rule, status }: Call): Row {
    const known = knownMethod(method);
    const route = printable(routeOf(path).slice(0, LONGEST_ROUTE)) || '*';
    const ended = classOf(status);
    const exact = `${caller} ${known} ${effect} ${ended} ${rule} ${route}`;
    const found = this.rows.get(exact);
    if (found !== undefined) return found;
    const ofCaller = this.ofCaller.get(caller) ?? 0;
    const hasRoom = this.rows.size < MOST_ROWS - REST;
    if (hasRoom && ofCaller < MOST_ROWS_OF_CALLER - REST)
      return this.begin(exact, { caller, method: known, route, effect, rule, status: ended });
    const blurred = { method: OTHER_METHOD, route: OTHER, effect, rule: '', status: ended };
    const ofThis = `${caller} ${OTHER_METHOD} ${effect} ${ended}  ${OTHER}`;
    const rest = `${OTHER} ${OTHER_METHOD} ${effect} ${ended}  ${OTHER}`;
    const there = this.rows.get(ofThis) ?? (hasRoom ? undefined : this.rows.get(rest));
    if (there !== undefined) return there;
    return hasRoom
      ? this.begin(ofThis, { caller, ...blurred })
      : this.begin(rest, { caller: OTHER, ...blurred });
  }

  private begin(
    key: string,
    kind: Pick<CallRow, 'caller' | 'method' | 'route' | 'effect' | 'rule' | 'status'>,
  ): Row {
    const durations = Array<number>(DURATION_COUNTS).fill(0);
    const row: Row = {
      ...kind,
      ...{ count: 0, errors: 0, dry_run: 0, received: 0, sent: 0, durations, sampled: 0 },
    };
    this.rows.set(key, row);
    this.ofCaller.set(kind.caller, (this.ofCaller.get(kind.caller) ?? 0) + 1);
    return row;
  }

  /** A few of each kind; denials push out what was allowed. */
  private sample(call: Call, row: Row): void {
    if (row.sampled === SAMPLES_OF_ROW) return;
    if (this.samples.length === MOST_SAMPLES) {
      if (call.effect === 'allow') return;
      const out = this.samples.findLastIndex(({ effect }) => effect === 'allow');
      if (out === -1) return;
      this.samples.splice(out, 1);
    }
    row.sampled++;
    const { caller, method, path, effect, decision, code, status, ms } = call;
    this.samples.push({
      ...{
        caller,
        method: knownMethod(method),
        path: printable(path.slice(0, LONGEST_PATH)),
        effect,
        decision,
        code,
      },
      ...{ status: classOf(status) === 'none' ? null : status, ms: Math.round(ms * 1_000) / 1_000 },
    });
  }
}

function isError({ effect, status, whole }: Call): boolean {
  return effect === 'allow' && (status === null || !whole || status >= FIRST_SERVER_ERROR);
}

/** What brokers take: nothing may keep them from taking the rest of the minute. */
function printable(path: string): string {
  return STRANGE.test(path) ? path.replaceAll(STRANGE_ALL, '_') : path;
}

function classOf(status: number | null): StatusClass {
  if (status === null) return 'none';
  const hundreds = Math.floor(status / 100);
  return hundreds >= 1 && hundreds <= 5 ? (`${hundreds}xx` as StatusClass) : 'none';
}
