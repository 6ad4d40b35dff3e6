import type { Clock } from '../../lib/adapter/clock.ts';
import {
  assertionClaims,
  makeJws,
  makeTransaction,
  NO_ORIGIN,
  type Origin,
  passedBy,
  type UserFields,
  userFields,
} from '../../lib/assertion/index.ts';
import type { Facts, User } from '../../lib/policy/index.ts';
import type { AppSettings } from '../config/app.ts';
import type { Caller } from '../decide.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Credentials } from '../identity/credentials.ts';
import type { AppView } from '../inbound/screens.ts';
import { signingKeyOf } from './signing-key.ts';

export type HeaderViewDeps = {
  readonly settings: AppSettings;
  readonly credentials: Credentials;
  readonly clock: Clock;
  /** Told how much of a user was left out of the headers. */
  readonly leftOut: (count: number) => void;
};

type UserLines = { readonly fields: UserFields; readonly lines: string };

/** Tells the app of a request's user and, where that is set, states it all in a signed assertion and names the transaction. */
export class HeaderView implements AppView {
  private readonly deps: HeaderViewDeps;
  /** One user is that of many requests. */
  private readonly users = new WeakMap<User, UserLines>();

  constructor(deps: HeaderViewDeps) {
    this.deps = deps;
  }

  lines(
    caller: Caller,
    facts: Facts,
    decision: string,
    head: RequestHead,
    origin: Origin | null,
  ): Buffer | null {
    // nothing can be said on a raw connection
    if (head.via === 'tcp') return null;
    const { assertion, transaction } = this.deps.settings;
    const { user } = facts;
    const told = user === null ? null : this.linesOf(user);
    let lines = told === null ? '' : told.lines;
    if (assertion) lines += this.assertion(caller, facts, decision, head, origin, told);
    if (transaction) lines += this.transaction(caller, facts, decision, origin ?? NO_ORIGIN);
    return lines === '' ? null : Buffer.from(lines, 'latin1');
  }

  private linesOf(user: User): UserLines {
    let told = this.users.get(user);
    if (told === undefined) {
      const fields = userFields(user, this.deps.settings.claims);
      const { user: named, claims, left } = fields;
      let lines = named === null ? '' : `x-signet-user: ${named}\r\n`;
      if (claims !== null) lines += `x-signet-claims: ${Buffer.from(claims).toString('base64url')}\r\n`;
      told = { fields, lines };
      this.users.set(user, told);
      if (left > 0) this.deps.leftOut(left);
    }
    return told;
  }

  private assertion(
    caller: Caller,
    { user, now }: Facts,
    decision: string,
    { method, target }: RequestHead,
    origin: Origin | null,
    told: UserLines | null,
  ): string {
    const svid = this.deps.credentials.current;
    if (svid === null) return '';
    const claims = assertionClaims({
      ...{ own: svid.id, caller: caller.id, decision, method, path: target.path, origin, now },
      // what is too long for its own header is too long for this one
      user: told === null || told.fields.user === null ? null : user,
      claims: told === null ? null : told.fields.claims,
    });
    const { key, assertionHeader } = signingKeyOf(svid);
    return `x-signet-assertion: ${makeJws(assertionHeader, claims, key)}\r\n`;
  }

  private transaction(caller: Caller, { user, now }: Facts, decision: string, origin: Origin): string {
    const svid = this.deps.credentials.current;
    if (svid === null) return '';
    const begun = { id: decision, user: user && { iss: user.issuer, sub: user.subject } };
    const { key, transactionHeader } = signingKeyOf(svid);
    const next = passedBy(origin, caller.id, begun);
    return `x-signet-transaction: ${makeTransaction(transactionHeader, next, svid.id, now, key)}\r\n`;
  }
}
