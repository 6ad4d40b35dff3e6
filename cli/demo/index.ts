import { Command } from 'commander';
import { untilStopped } from '../../lib/adapter/lifecycle.ts';
import { otelcolBinary } from '../../setup/otelcol.mjs';
import { vaultBinary } from '../../setup/vault.mjs';
import { createReport } from './report.ts';
import * as scenes from './scenes/index.ts';
import { type Binaries, createWorld, type World } from './world.ts';

export function demoCommand(): Command {
  return new Command('demo')
    .description('run the whole of Signet on this machine: Vault, a broker, two services with sidecars')
    .option('--exit', 'end when everything has been shown; the last line is one JSON object')
    .action(async (options: { exit?: boolean }) => {
      const code = await demo({ exit: options.exit === true });
      // A scene that was interrupted still runs: its world is gone, and it goes with the process.
      if (code === INTERRUPTED) process.exit(code);
      process.exitCode = code;
    });
}

/** What a shell gives for SIGINT. */
const INTERRUPTED = 130;

async function demo({ exit }: { exit: boolean }): Promise<number> {
  const report = createReport(process.stdout);
  const signal = untilStopped();
  const stopped = new Promise<'stopped'>((resolve) => {
    signal.addEventListener('abort', () => resolve('stopped'), { once: true });
  });
  try {
    await using world = await createWorld(binaries(), report.scene);
    const playing = play(world, report.scene);
    // A Ctrl-C on a terminal reaches our children too: what the scenes then run into is no news.
    playing.catch(() => {});
    const facts = await Promise.race([playing, stopped]);
    if (facts === 'stopped') return INTERRUPTED;
    if (exit) {
      process.stdout.write(`${JSON.stringify(facts)}\n`);
      return 0;
    }
    report.table([
      ['what', 'address'],
      ['Vault UI', `${world.vault.address}/ui`],
      ['Vault root token', world.vault.rootToken],
      ['broker', world.brokerUrl],
      ["broker's metrics", `${world.brokerAdmin}/metrics`],
      ["orders' audit", world.orders.audit],
      ["orders' policies", world.orders.policies],
      ["orders' metrics", `http://${world.orders.admin}/metrics`],
      ["web's metrics", `http://${world.web.admin}/metrics`],
      ['web, the app', `http://127.0.0.1:${world.web.appPort}/orders/42`],
      ["web's way to orders", `curl -H 'Host: orders' http://${world.web.outbound}/orders/42`],
    ]);
    report.note('Ctrl-C ends all of it');
    await stopped;
    report.note('stopping');
    return 0;
  } catch (error) {
    if (signal.aborted) return INTERRUPTED;
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
    if (exit) process.stdout.write(`${JSON.stringify({ ok: false })}\n`);
    return 1;
  }
}

function binaries(): Binaries {
  return { vault: vaultBinary(), collector: otelcolBinary() ?? null };
}

async function play(world: World, show: (title: string, facts: string) => void) {
  const shown = <T>({ title, facts, found }: scenes.Shown<T>): T => {
    show(title, facts);
    return found;
  };
  const allowed = shown(await scenes.allowed(world));
  const denied = shown(await scenes.denied(world));
  const user = shown(await scenes.endUser(world));
  const dryRun = shown(await scenes.dryRun(world));
  const replay = shown(await scenes.replay(world));
  const http2 = shown(await scenes.http2(world));
  const grpc = shown(await scenes.grpc(world));
  const websocket = shown(await scenes.webSocket(world));
  const tcp = shown(await scenes.tcp(world));
  shown(await scenes.strangerRefused(world));
  const theft = shown(await scenes.theft(world));
  const rotation = shown(await scenes.rotation(world));
  shown(await scenes.killSwitch(world));
  const live = shown(await scenes.livePolicy(world));
  const diff = shown(await scenes.policyDiff(world));
  const trace = shown(await scenes.trace(world));
  const audit = shown(await scenes.audit(world, [...http2, ...grpc, ...websocket, ...tcp]));
  const services = [world.orders, world.web];
  return {
    ok: true,
    spiffe_ids: services.map(({ id }) => id),
    serials: services.map(({ firstSvid }) => firstSvid['serial']),
    first_svid_ms: services.map(({ firstSvid }) => firstSvid['ms_since_start']),
    allowed: allowed + rotation.requests,
    denied,
    user,
    dry_run: dryRun,
    replay,
    http2: counted(http2),
    grpc: counted(grpc),
    websocket: counted(websocket),
    tcp: counted(tcp),
    rotations: rotation.rotations,
    failed_during_rotation: rotation.failed,
    theft_alarm: theft,
    policy: { ...live, ...diff },
    spans: trace,
    audit,
  };
}

function counted(decisions: readonly scenes.Judged[]) {
  const allowed = decisions.filter(({ effect }) => effect === 'allow').length;
  return { allowed, denied: decisions.length - allowed };
}
