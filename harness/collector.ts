import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startChild } from './child.ts';
import { freePort } from './port.ts';

const PATIENCE_MS = 20_000;
const LOOK_MS = 25;
/** Where OTLP/HTTP is served by default, and where the configuration says that it is. */
const USUAL_PORT = '4318';

/** A real OpenTelemetry collector that writes down what it gets. */
export interface Collector extends AsyncDisposable {
  /** For `SIGNET_OTLP`. */
  readonly url: string;
  /** What it got so far, in its own words. */
  text(): string;
  /** Waits until `accept` likes what it got. @throws with all of it when that takes too long */
  until(accept: (text: string) => boolean): Promise<string>;
}

/** Starts `binary` with a configuration as a user would write it, but for the port. */
export async function startCollector(binary: string, configuration: string): Promise<Collector> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'signet-collector-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const port = await freePort();
  const file = join(folder, 'collector.yaml');
  await writeFile(file, configuration.replaceAll(`:${USUAL_PORT}`, `:${port}`));
  const child = stack.use(await startChild(binary, ['--config', file]));
  const until: Collector['until'] = async (accept) => {
    for (const end = Date.now() + PATIENCE_MS; !accept(child.stdout()); await wait(LOOK_MS))
      if (Date.now() > end)
        throw new Error(`the collector has not got what was waited for:\n${child.stdout()}${child.stderr()}`);
    return child.stdout();
  };
  for (const end = Date.now() + PATIENCE_MS; !(await answers(port)); await wait(LOOK_MS))
    if (Date.now() > end) throw new Error(`the collector does not listen:\n${child.stderr()}`);
  const owned = stack.move();
  return {
    url: `http://127.0.0.1:${port}`,
    text: child.stdout,
    until,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
