import { routeOf } from './route.ts';
import { Usual, Window } from './usual.ts';

/** One exchange that is over. */
export type Outcome = {
  readonly caller: string;
  readonly method: string;
  readonly path: string;
  /** Null: it was cut before there was one. */
  readonly status: number | null;
  /** Bytes of the request's body. */
  readonly received: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
};

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;
const MOST_CALLERS = 256;
const MOST_ROUTES = 64;
/** Where a caller uses more routes than are kept, the others are one. */
const OTHERS = '*';
/** A day counts for half after two weeks. */
const DAY_KEPT = 2 ** (-1 / 14);

/** What one caller does on one route. */
export class Edge {
  /** When it was first answered well; the requests before are counted, and make nothing usual. */
  readonly since: number;
  readonly requests = new Window();
  readonly rate = new Usual();
  /** The logarithm (base 2) of the size of a body. */
  readonly size = new Usual();
  logs = 0;
  sized = 0;

  constructor(since: number) {
    this.since = since;
  }

  begin(minutes: number, learning: boolean): void {
    const learned = !learning && this.rate.minutes > 0;
    this.rate.add(this.requests.now, 2 * Math.max(this.rate.value, 1), learned);
    this.rate.rest(minutes - 1);
    if (this.sized > 0)
      this.size.add(this.logs / this.sized, this.size.value + 1, learned && this.size.minutes > 0);
    this.logs = this.sized = 0;
    this.requests.move(minutes);
  }
}

/** What one caller does. */
export class Profile {
  readonly edges = new Map<string, Edge>();
  readonly requests = new Window();
  readonly failures = new Window();
  /** The share that fails. */
  readonly failing = new Usual();
  /** How unusual it was at its worst, and when. */
  peak = 0;
  peakAt = 0;
  reported: Report | null = null;
  minute: number;
  /** Days on which it was answered well, as they count now, and really; of each hour those on which it was active then. */
  days = 0;
  daysSeen = 0;
  readonly hours = new Float64Array(24);
  private readonly hourSeen = new Int32Array(24).fill(-1);
  private day = -1;

  constructor(minute: number) {
    this.minute = minute;
  }

  /** Ends the minutes before `minute`. A clock that is set back ends none. */
  move(minute: number, learning: boolean): void {
    const minutes = minute - this.minute;
    if (minutes <= 0) return;
    this.minute = minute;
    const { now } = this.requests;
    if (now > 0)
      this.failing.add(
        this.failures.now / now,
        Math.max(2 * this.failing.value, 0.02),
        !learning && this.failing.minutes > 0,
      );
    this.requests.move(minutes);
    this.failures.move(minutes);
    for (const edge of this.edges.values()) edge.begin(minutes, learning);
  }

  active(minute: number): void {
    const day = Math.floor(minute / DAY_MINUTES);
    const hour = Math.floor(minute / 60) % 24;
    if (day > this.day) {
      const kept = this.day === -1 ? 0 : DAY_KEPT ** (day - this.day);
      for (let i = 0; i < 24; i++) this.hours[i]! *= kept;
      this.days = this.days * kept + 1;
      this.daysSeen++;
      this.day = day;
    }
    if (this.hourSeen[hour] === day) return;
    this.hourSeen[hour] = day;
    this.hours[hour]! += 1;
  }
}

/** What somebody else found out about a caller. */
export type Report = { readonly score: number; readonly reason: string; readonly at: number };

/** What callers usually do, learned from what they do. It holds a bounded number of them, and forgets first who has been away longest. */
export class Baseline {
  private readonly learnMinutes: number;
  private readonly profiles = new Map<string, Profile>();
  /** The first minute of all. */
  private begun = -1;

  constructor(learnMinutes: number) {
    this.learnMinutes = learnMinutes;
  }

  /** @returns whether the caller was answered well on a route that is new to it */
  observe({ caller, method, path, status, received, at }: Outcome): boolean {
    const minute = Math.floor(at / MINUTE_MS);
    if (this.begun === -1) this.begun = minute;
    const profile = this.profileOf(caller, minute);
    profile.requests.now++;
    const isWell = status !== null && status < 400;
    if (!isWell) profile.failures.now++;
    const name = edgeName(method, path);
    let edge = profile.edges.get(name) ?? profile.edges.get(OTHERS);
    let isNew = false;
    if (isWell) {
      profile.active(minute);
      if (edge === undefined) {
        isNew = !this.isLearning(minute);
        edge = new Edge(at);
        profile.edges.set(profile.edges.size < MOST_ROUTES ? name : OTHERS, edge);
      }
      edge.logs += logOf(received);
      edge.sized++;
    }
    if (edge !== undefined) edge.requests.now++;
    return isNew;
  }

  report(caller: string, report: Report): void {
    this.profileOf(caller, Math.floor(report.at / MINUTE_MS)).reported = report;
  }

  /** The caller as it is now; null: it is not known. */
  profile(caller: string, minute: number): Profile | null {
    const profile = this.profiles.get(caller);
    if (profile === undefined) return null;
    profile.move(minute, this.isLearning(minute));
    return profile;
  }

  edge(profile: Profile | null, method: string, path: string): Edge | null {
    return profile?.edges.get(edgeName(method, path)) ?? profile?.edges.get(OTHERS) ?? null;
  }

  /** Whether all that is done is still taken for usual. */
  isLearning(minute: number): boolean {
    return this.begun === -1 || minute - this.begun < this.learnMinutes;
  }

  /** Whether it was seen first when nothing was learned any more. */
  isLate({ since }: Edge): boolean {
    return !this.isLearning(Math.floor(since / MINUTE_MS));
  }

  get size(): { readonly callers: number; readonly edges: number } {
    let edges = 0;
    for (const profile of this.profiles.values()) edges += profile.edges.size;
    return { callers: this.profiles.size, edges };
  }

  private profileOf(caller: string, minute: number): Profile {
    let profile = this.profiles.get(caller);
    if (profile === undefined) {
      if (this.profiles.size >= MOST_CALLERS) this.forgetOne();
      profile = new Profile(minute);
      this.profiles.set(caller, profile);
    } else profile.move(minute, this.isLearning(minute));
    return profile;
  }

  private forgetOne(): void {
    let [oldest, least] = ['', Number.POSITIVE_INFINITY];
    for (const [caller, { minute }] of this.profiles) if (minute < least) [oldest, least] = [caller, minute];
    this.profiles.delete(oldest);
  }
}

export function logOf(bytes: number): number {
  return Math.log2(1 + bytes);
}

function edgeName(method: string, path: string): string {
  return `${method} ${routeOf(path)}`;
}
