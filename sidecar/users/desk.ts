import { hash } from 'node:crypto';
import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log } from '../../lib/adapter/log.ts';
import { Fault, LONGEST_TOKEN, type User } from '../../lib/token/index.ts';
import type { RequestHead } from '../http1/index.ts';
import { Pending, type Refused } from '../relay/index.ts';
import { ANSWERS, type AnswerCode } from './answers.ts';
import { FOUND, findBearer, hasTokenInQuery, MALFORMED, NONE, type Span } from './bearer.ts';
import { epochOf, examine, type Finding, type Issuer, UNAVAILABLE } from './issuers.ts';
import { Memory } from './memory.ts';
import { needOf, type RouteRule } from './routes.ts';
import type { Cell, Tally } from './tally.ts';

/** What is known of one token. `forgetAt`: in ms, when it has to be found out anew. */
type Known = {
  readonly issuer: Issuer | null;
  readonly epoch: number;
  readonly user: User | null;
  readonly answer: Refused | null;
  readonly until: number;
  readonly forgetAt: number;
  readonly cell: Cell;
};

/** Users by good tokens; a token's text counts for what is made of it. */
const [MOST_USERS, MOST_USER_BYTES] = [10_000, 4 * 1_048_576];
/** Bad tokens are remembered apart, so that they push no good one out. */
const [MOST_REFUSED, REFUSED_MS] = [10_000, 5_000];
const UNREACHED_MS = 1_000;
/** Tokens looked at at once. Those that wait for one issuer are fewer, so that one that is slow does not take all the room. */
export const MOST_AT_ONCE = 4_096;

export type DeskDeps = {
  readonly issuers: readonly Issuer[];
  readonly routes: readonly RouteRule[];
  readonly tally: Tally;
  readonly clock: Clock;
  readonly log: Log;
};

/** Tells the end users of requests, by one reading of the configuration. */
export class Desk implements Disposable {
  readonly deps: DeskDeps;
  private readonly users = new Memory<Known>(MOST_USERS, MOST_USER_BYTES);
  private readonly refused = new Memory<Known>(MOST_REFUSED, MOST_REFUSED);
  private readonly pending = new Map<string, Pending>();
  private readonly span: Span = { start: 0, end: 0 };
  private readonly none: Cell;
  private readonly expired = new Map<Issuer | null, Cell>();

  constructor(deps: DeskDeps) {
    this.deps = deps;
    this.none = deps.tally.cell('', 'none');
  }

  identify(head: RequestHead, now: Date): User | null | Refused | Pending {
    const need = needOf(this.deps.routes, head.method, head.target.path);
    // a raw connection has no head
    const bearer = head.via === 'tcp' ? NONE : findBearer(head, this.span);
    if (bearer === MALFORMED || (head.via !== 'tcp' && hasTokenInQuery(head)))
      return this.answer('token_malformed');
    if (bearer !== FOUND) {
      if (need === 'required') return this.answer('user_required');
      this.none.n++;
      return null;
    }
    if (need === 'forbidden') return this.answer('user_forbidden');
    const { start, end } = this.span;
    if (end - start > LONGEST_TOKEN) return this.answer('token_invalid');
    const token = head.bytes.subarray(start, end);
    const key = hash('sha256', token, 'base64');
    return this.recall(key, now.getTime()) ?? this.begin(key, token.toString('latin1'));
  }

  [Symbol.dispose](): void {
    for (const { line } of this.deps.issuers) line?.[Symbol.dispose]();
  }

  private recall(key: string, nowMs: number): User | Refused | null {
    const known = this.users.get(key) ?? this.refused.get(key);
    if (known === undefined || nowMs >= known.forgetAt) return null;
    const { issuer, epoch, until, user, answer, cell } = known;
    if (issuer !== null && epochOf(issuer, nowMs) !== epoch) return null;
    if (user !== null && nowMs >= until) {
      this.cellOfExpired(issuer).n++;
      return ANSWERS.token_expired;
    }
    cell.n++;
    return user ?? answer;
  }

  private begin(key: string, text: string): Pending | Refused {
    const underWay = this.pending.get(key);
    if (underWay !== undefined) return underWay;
    if (this.pending.size >= MOST_AT_ONCE) return this.answer('users_busy');
    const { issuers, clock } = this.deps;
    const settled = examine(text, issuers, clock)
      .then((finding) => this.remember(key, text.length, finding))
      .finally(() => this.pending.delete(key));
    const pending = new Pending(settled);
    this.pending.set(key, pending);
    return pending;
  }

  private remember(key: string, bytes: number, { issuer, epoch, found, until }: Finding): void {
    const name = issuer?.settings.name ?? '';
    // from now on, however long it took: what is remembered must still be there when the request is judged again
    const nowMs = this.deps.clock.now().getTime();
    const common = { issuer, epoch, until };
    this.users.delete(key);
    this.refused.delete(key);
    if (found === UNAVAILABLE || found instanceof Fault) {
      const code = found === UNAVAILABLE ? 'issuer_unavailable' : codeOf(found);
      const reason = found === UNAVAILABLE ? 'its issuer was not reached' : found.reason;
      this.deps.log.debug('user_refused', { issuer: name, code, reason });
      const forgetAt = nowMs + (found === UNAVAILABLE ? UNREACHED_MS : REFUSED_MS);
      const cell = this.deps.tally.cell(name, code);
      this.refused.set(key, { ...common, user: null, answer: ANSWERS[code], forgetAt, cell }, 1);
      return;
    }
    const cell = this.deps.tally.cell(name, 'ok');
    const source = issuer?.settings.source;
    const forgetAt =
      source?.kind === 'introspection' ? nowMs + source.cacheSeconds * 1_000 : Number.POSITIVE_INFINITY;
    this.users.set(key, { ...common, user: found, answer: null, forgetAt, cell }, bytes);
  }

  private answer(code: AnswerCode): Refused {
    this.deps.tally.cell('', code).n++;
    return ANSWERS[code];
  }

  private cellOfExpired(issuer: Issuer | null): Cell {
    let cell = this.expired.get(issuer);
    if (cell === undefined) {
      cell = this.deps.tally.cell(issuer?.settings.name ?? '', 'token_expired');
      this.expired.set(issuer, cell);
    }
    return cell;
  }
}

function codeOf({ code }: Fault): AnswerCode {
  return code === 'key_unknown' ? 'token_invalid' : code;
}
