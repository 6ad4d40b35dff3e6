import { ANONYMOUS, type Facts, NO_RISK, type Risk, UNREADABLE, type User } from '../../lib/policy/index.ts';
import type { Caller } from '../decide.ts';
import { fieldValues, isAliased, type RequestHead } from '../http1/index.ts';
import type { Risks } from './screens.ts';

const NOBODY: Facts['chain'] = [];
const QUESTION = 0x3f;

/**
 * What one connection's requests are asked about; one object serves them all, one after the other. Nothing is read before somebody asks.
 * Good until the judgement is over: it reads from the head.
 */
export class RequestFacts implements Facts {
  now = new Date(0);
  user: User | null = null;
  chain = NOBODY;
  readonly source: string | null;
  readonly edge: boolean;
  private readonly caller: Caller;
  private readonly risks: Risks | null;
  private head: RequestHead | null = null;
  assessed: Risk | null = null;

  constructor(caller: Caller, source: string | null, risks: Risks | null) {
    this.caller = caller;
    this.edge = caller.id === ANONYMOUS;
    // an IPv4 address of a socket that takes both
    this.source = source?.startsWith('::ffff:') ? source.slice(7) : source;
    this.risks = risks;
  }

  begin(head: RequestHead, now: Date, user: User | null): void {
    this.head = head;
    this.now = now;
    this.user = user;
    this.chain = NOBODY;
    this.assessed = null;
  }

  /** The same for longer than until the next request. */
  kept(): RequestFacts {
    const kept = new RequestFacts(this.caller, this.source, this.risks);
    kept.begin(this.head!.kept(), this.now, this.user);
    kept.chain = this.chain;
    return kept;
  }

  get host(): string {
    return this.isRaw ? '' : this.head!.host;
  }

  get query(): string {
    const { bytes, targetStart, targetEnd } = this.head!;
    const at = this.isRaw ? -1 : bytes.subarray(targetStart, targetEnd).indexOf(QUESTION);
    return at === -1 ? '' : bytes.toString('latin1', targetStart + at + 1, targetEnd);
  }

  get protocol(): Facts['protocol'] {
    const { via, websocket, http11 } = this.head!;
    if (websocket) return 'websocket';
    if (via !== 'http/1') return via;
    return http11 ? 'http/1.1' : 'http/1.0';
  }

  get size(): number | null {
    const { contentLength, chunked, via } = this.head!;
    if (via === 'tcp' || chunked) return null;
    return contentLength === -1 ? 0 : contentLength;
  }

  get risk(): Risk {
    this.assessed ??= this.risks === null ? NO_RISK : this.risks.assess(this.caller, this, this.head!);
    return this.assessed;
  }

  header(name: string): ReturnType<Facts['header']> {
    if (this.isRaw) return null;
    const head = this.head!;
    if (isAliased(head.bytes, head, name)) return UNREADABLE;
    const values = fieldValues(head.bytes, head, name);
    return values.length < 2 ? (values[0] ?? null) : [...values, values.join(', ')];
  }

  private get isRaw(): boolean {
    return this.head!.via === 'tcp';
  }
}
