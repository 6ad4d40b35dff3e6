import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { basename } from 'node:path';
import { which } from '../setup/commands.mjs';
import { envoyBinary } from '../setup/envoy.mjs';
import { ghostunnelVersion } from '../setup/ghostunnel.mjs';
import { opaVersion } from '../setup/opa.mjs';
import type { Effort } from './measure.ts';
import { haproxyBinary } from './peers/haproxy.ts';
import { nginxBinary } from './peers/nginx.ts';
import { FLAGS } from './peers/signet.ts';
import { output } from './processes.ts';

export function load(): string {
  return loadavg()[0]!.toFixed(1);
}

/** On what was measured, how, and against which versions. */
export async function circumstances(
  effort: Effort,
  loadAtStart: string,
  tookMs: number,
): Promise<readonly string[]> {
  const [cpu] = cpus();
  const { rounds, closeRounds, durationMs, warmMs, settleMs } = effort;
  const versions = await Promise.all([
    first(nginxBinary(), '-v'),
    first(haproxyBinary(), '-v'),
    first(envoyBinary(), '--version'),
    first(which('go'), 'version'),
  ]);
  return [
    `machine, for load generator, proxies and app together: ${cpus().length} cores of ${cpu?.model ?? 'an unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `load average: ${loadAtStart} at the start, ${load()} at the end`,
    `rounds: ${closeRounds} of inbound and pair, ${rounds} of the others, ${durationMs / 1000} s each after ${warmMs / 1000} s of warm load`,
    `before the first round Signet, whose code is compiled as it runs, had ${settleMs / 1000} s of load`,
    `time: ${Math.round(tookMs / 60_000)} min in all`,
    `Signet ${version()} on Node ${process.version}, OpenSSL ${process.versions.openssl}, with ${FLAGS.join(' ')}`,
    ...versions.filter((text) => text !== undefined),
    `ghostunnel ${ghostunnelVersion()}, GOMAXPROCS=1`,
    `OPA ${opaVersion()} as WebAssembly by opa-wasm ${pinned('@open-policy-agent/opa-wasm')}, cedar-wasm ${pinned('@cedar-policy/cedar-wasm')}`,
  ];
}

function version(): string {
  return manifest().version;
}

/** A package of npm is pinned to one version. */
function pinned(name: string): string | undefined {
  return manifest().devDependencies[name];
}

function manifest(): { version: string; devDependencies: Readonly<Record<string, string>> } {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
}

async function first(command: string | undefined, ...args: string[]): Promise<string | undefined> {
  if (command === undefined) return undefined;
  const [line = ''] = (await output(command, args)).trim().split('\n');
  return line.replace(command, basename(command)).replace(/\s+/g, ' ');
}
