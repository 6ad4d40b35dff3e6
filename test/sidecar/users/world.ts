import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../../lib/adapter/log.ts';
import { createMetrics, type Metrics } from '../../../lib/adapter/metrics.ts';
import type { Facts, User } from '../../../lib/policy/index.ts';
import type { Decider } from '../../../sidecar/decide.ts';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { openUsers, type UsersFile } from '../../../sidecar/users/index.ts';
import { type World, type WorldOptions, world } from '../inbound/world.ts';
import { ALLOW_WEB, decider } from '../support.ts';
import { TestIssuer } from './issuer.ts';

/** ORDERS' inbound proxy, whose users are told by the tokens of `issuer`. */
export type UsersWorld = World & {
  readonly issuer: TestIssuer;
  readonly users: UsersFile;
  readonly metrics: Metrics;
  /** All that was logged. */
  readonly logged: string[];
  readonly folder: string;
  readonly file: string;
  /** The users that reached the judgement. */
  readonly seen: (User | null)[];
  /** Asks for `/a` with these header lines, on a connection of its own; the answer is all that came. */
  ask(lines?: string, target?: string): Promise<string>;
  /** Asks with this token. */
  present(token: string): Promise<string>;
};

type Json = Readonly<Record<string, unknown>>;
export type UsersWorldOptions = WorldOptions & {
  /** The document of users; left out: one with the issuer alone. */
  readonly document?: (issuer: TestIssuer, folder: string) => Json | Promise<Json>;
  readonly clock?: { now(): Date };
};

export async function usersWorld(options: UsersWorldOptions = {}): Promise<UsersWorld> {
  const {
    document = (issuer) => ({ issuers: [issuer.settings()] }),
    documents = [ALLOW_WEB],
    ...more
  } = options;
  const clock = options.clock ?? { now: () => new Date() };
  const issuer = await TestIssuer.start();
  const folder = await mkdtemp(join(tmpdir(), 'signet-users-'));
  const file = join(folder, 'users.json');
  await writeFile(file, JSON.stringify(await document(issuer, folder)));
  const logged: string[] = [];
  const metrics = createMetrics();
  const log = createLog({ level: 'debug', write: (line) => void logged.push(line) });
  const users = await openUsers({ file, clock, log, metrics });
  const seen: (User | null)[] = [];
  const judge = decider(documents);
  const watching: Decider = {
    ...judge,
    decide(caller, method, path, now, facts?: Facts) {
      seen.push(facts!.user);
      return judge.decide(caller, method, path, now, facts);
    },
  };
  const w = await world({ ...more, decider: watching, screens: { ...NO_SCREENS, users } });
  const ask = async (lines = '', target = '/a') => {
    using client = await w.dial();
    client.send(`GET ${target} HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n${lines}\r\n`);
    return await client.ends();
  };
  return {
    ...w,
    ...{ issuer, users, metrics, logged, folder, file, seen, ask },
    present: (token) => ask(`Authorization: Bearer ${token}\r\n`),
    async [Symbol.asyncDispose]() {
      await w[Symbol.asyncDispose]();
      judge[Symbol.dispose]();
      users[Symbol.dispose]();
      await issuer[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

/** Status and code of an answer; the code is empty where the app answered. */
export function outcome(heard: string): string {
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(heard)?.[1] ?? 'nothing';
  const code = /"code":"([a-z_]+)"/.exec(heard)?.[1];
  return code === undefined ? status : `${status} ${code}`;
}

/** The challenge of RFC 6750, if there is one. */
export function challengeIn(heard: string): string | null {
  return /^www-authenticate: ([^\r]*)\r$/m.exec(heard)?.[1] ?? null;
}
