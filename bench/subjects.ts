import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../harness/port.ts';
import { smallApp } from './peers/nginx.ts';
import type { Peer } from './peers/peer.ts';
import { type Program, start } from './processes.ts';
import type { Scenario } from './scenarios.ts';

/** What the load generator calls: a proxy, a pair of them, or the app itself. */
export type Subject = {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
  /** Called without TLS. */
  readonly plain: boolean;
  readonly settles: boolean;
};

/** What is measured side by side; ends with all its processes. */
export type Subjects = AsyncDisposable & { readonly all: readonly Subject[] };

/** In a pair scenario the app alone, over which a pair's added time is counted. */
export const DIRECT = 'direct';

export type Place = {
  readonly folder: string;
  /** The program that answers with larger bodies, and gRPC. */
  readonly anyApp: string;
  readonly peers: readonly Peer[];
  readonly tell: (line: string) => void;
  /** Told of a peer that is left out, and why. */
  readonly leftOut: (line: string) => void;
};

/** Starts the app and the scenario's peers before it. A peer that does not come up is left out. */
export async function launch(
  name: string,
  scenario: Omit<Scenario, 'loads'>,
  place: Place,
): Promise<Subjects> {
  const { folder, peers, leftOut } = place;
  const { setting, pair } = scenario;
  await using stack = new AsyncDisposableStack();
  const appPort = await freePort();
  const appProgram: Program =
    scenario.app === 'small'
      ? smallApp(folder, appPort)
      : { name: 'app', command: place.anyApp, args: ['-listen', `127.0.0.1:${appPort}`], port: appPort };
  const app = stack.use(await start(appProgram, folder));
  const all: Subject[] = [];
  for (const peer of peers.filter((each) => scenario.peers.includes(each.name))) {
    await using own = new AsyncDisposableStack();
    const run = async (program: Program) => {
      own.defer(async () => rmSync(join(folder, `${program.name}.audit`), { force: true }));
      return own.use(await start(program, folder));
    };
    try {
      const task = { name, folder, app: app.port, ...setting };
      let port = await freePort();
      const pids: number[] = [];
      for (const program of peer.inbound({ ...task, port })) pids.push(...(await run(program)).pids);
      if (pair) {
        const client = await run(peer.outbound!({ name, folder, port: await freePort(), upstream: port }));
        port = client.port;
        pids.push(...client.pids);
      }
      all.push({ name: peer.name, port, pids, plain: pair === true, settles: peer.settles });
      stack.use(own.move());
    } catch (error) {
      leftOut(`${peer.name} is left out of ${name}: ${(error as Error).message}`);
    }
  }
  if (pair) all.push({ name: DIRECT, port: app.port, pids: [], plain: true, settles: false });
  const owned = stack.move();
  return { all, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
