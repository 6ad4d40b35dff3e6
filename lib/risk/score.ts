import { type Baseline, type Edge, logOf, type Profile } from './baseline.ts';
import type { InputName, RiskRules } from './rules.ts';

/** How unusual a request is, 0 to 100, and why. */
export type Score = { readonly score: number; readonly reasons: readonly ScoreReason[] };
export type ScoreReason = { readonly input: InputName; readonly points: number; readonly detail: string };

/** What is asked about. */
export type Question = {
  readonly caller: string;
  readonly method: string;
  readonly path: string;
  /** Bytes of its body, where it says. */
  readonly size: number | null;
  readonly source: string | null;
  /** Seconds since the epoch. */
  readonly user: {
    readonly acr: string | null;
    readonly authTime: number | null;
    readonly issuedAt: number | null;
  } | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
};

const MINUTE_MS = 60_000;
const SECONDS = 1_000;
const MOST = 100;
/** A caller is compared with itself after so many minutes. */
const KNOWN_MINUTES = 10;

/** The score of a request. It is also remembered of its caller, for `recent`. */
export function scoreOf(rules: RiskRules, baseline: Baseline, question: Question): Score {
  const { caller, method, path, at } = question;
  const minute = Math.floor(at / MINUTE_MS);
  const profile = baseline.profile(caller, minute);
  const edge = baseline.edge(profile, method, path);
  const found = new Reasons(rules);
  const into = (at % MINUTE_MS) / MINUTE_MS;
  if (profile !== null && edge !== null) rate(found, edge, into);
  if (profile !== null) {
    errors(found, profile, into);
    hour(found, profile, minute);
  }
  if (edge !== null) size(found, edge, question.size);
  newEdge(found, baseline, edge, minute, at);
  user(found, question);
  network(found, question.source);
  const now = found.score;
  remembered(found, profile, at);
  if (profile !== null) remember(rules, profile, now, at);
  return { score: found.score, reasons: found.reasons };
}

class Reasons {
  readonly rules: RiskRules;
  readonly reasons: ScoreReason[] = [];

  constructor(rules: RiskRules) {
    this.rules = rules;
  }

  /** `degree`: 0 to 1. */
  add(input: InputName, degree: number, detail: () => string): void {
    const points = Math.round((this.rules.inputs[input]?.weight ?? 0) * Math.min(1, degree));
    if (points > 0) this.reasons.push({ input, points, detail: detail() });
  }

  get score(): number {
    return Math.min(
      MOST,
      this.reasons.reduce((sum, { points }) => sum + points, 0),
    );
  }
}

function rate(found: Reasons, { requests, rate: usual }: Edge, into: number): void {
  const { rate: input } = found.rules.inputs;
  if (input === undefined || usual.minutes < KNOWN_MINUTES) return;
  const now = requests.lastMinute(into);
  if (now < input.least) return;
  const degree = beyond(now / Math.max(usual.value, 1 / KNOWN_MINUTES), input.above);
  found.add('rate', degree, () => `${whole(now)} in a minute, usually ${whole(usual.value)}`);
}

function errors(found: Reasons, { requests, failures, failing }: Profile, into: number): void {
  const { errors: input } = found.rules.inputs;
  if (input === undefined) return;
  const all = requests.lastMinute(into);
  if (all < input.least) return;
  const share = failures.lastMinute(into) / all;
  const degree = (share - failing.value) / input.above;
  found.add('errors', degree, () => `${percent(share)} failed, usually ${percent(failing.value)}`);
}

function hour(found: Reasons, { hours, days, daysSeen }: Profile, minute: number): void {
  const { hour: input } = found.rules.inputs;
  if (input === undefined || daysSeen < input.days) return;
  const at = Math.floor(minute / 60) % 24;
  const share = Math.min(1, hours[at]! / days);
  found.add(
    'hour',
    1 - share / input.below,
    () => `between ${at} and ${at + 1} UTC on ${percent(share)} of days`,
  );
}

function size(found: Reasons, { size: usual }: Edge, bytes: number | null): void {
  const { size: input } = found.rules.inputs;
  if (input === undefined || bytes === null || usual.minutes === 0) return;
  const degree = beyond(2 ** (logOf(bytes) - usual.value), input.above);
  found.add('size', degree, () => `${bytes} bytes, usually ${whole(2 ** usual.value - 1)}`);
}

function newEdge(found: Reasons, baseline: Baseline, edge: Edge | null, minute: number, at: number): void {
  if (baseline.isLearning(minute)) return;
  if (edge === null) found.add('new_edge', 1, () => 'never answered well before');
  else if (baseline.isLate(edge))
    found.add(
      'new_edge',
      faded(1, edge.since, at, found.rules),
      () => `since ${new Date(edge.since).toISOString()}`,
    );
}

function user(found: Reasons, { user: asked, at }: Question): void {
  if (asked === null) return;
  const { token_age: age, acr } = found.rules.inputs;
  if (age !== undefined) {
    const since = asked.authTime ?? asked.issuedAt;
    const seconds = since === null ? Number.POSITIVE_INFINITY : at / SECONDS - since;
    const detail = () => (since === null ? 'the token does not say' : `${whole(seconds)} s`);
    found.add('token_age', beyond(seconds / age.above, 1), detail);
  }
  if (acr !== undefined && (asked.acr === null || !acr.in.has(asked.acr)))
    found.add('acr', 1, () =>
      asked.acr === null ? 'the token does not say' : 'authenticated in another way',
    );
}

function network(found: Reasons, source: string | null): void {
  const { network: input } = found.rules.inputs;
  if (input === undefined || (source !== null && input.in.has(source))) return;
  found.add('network', 1, () => source ?? 'the address is not known');
}

function remembered(found: Reasons, profile: Profile | null, at: number): void {
  if (profile === null) return;
  const { peak, peakAt, reported } = profile;
  const recent = faded(peak / MOST, peakAt, at, found.rules);
  found.add('recent', recent, () => `${peak} at ${new Date(peakAt).toISOString()}`);
  if (reported !== null)
    found.add('reported', faded(reported.score / MOST, reported.at, at, found.rules), () => reported.reason);
}

/** Its own part is left out: what is remembered must not keep itself alive. */
function remember({ halfLifeMs }: RiskRules, profile: Profile, score: number, at: number): void {
  const left = profile.peak * 2 ** (-Math.max(0, at - profile.peakAt) / halfLifeMs);
  if (score < left || score === 0) return;
  profile.peak = score;
  profile.peakAt = at;
}

/** Nothing below `above`, half there, all at twice that. */
function beyond(ratio: number, above: number): number {
  return ratio < above ? 0 : Math.min(1, ratio / above / 2);
}

function faded(degree: number, since: number, at: number, { halfLifeMs }: RiskRules): number {
  return degree * 2 ** (-Math.max(0, at - since) / halfLifeMs);
}

function whole(value: number): string {
  return value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value));
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
