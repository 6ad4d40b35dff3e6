import { say } from './commands.mjs';
import { buildGo, findBuiltGo, findGo, sourcesHash } from './go-build.mjs';

const folder = 'tools/otelcol';

/** The OpenTelemetry collector, made of what telemetry needs of it. @type {import('./go-build.mjs').GoProgram} */
const otelcol = { name: 'otelcol', folder, package: '.', version: () => sourcesHash(folder) };

/** The collector that demo and tests send to; undefined where it is not built. */
export function otelcolBinary() {
  return findBuiltGo(otelcol);
}

/**
 * Builds the collector. Without Go it says so: demo and tests then go without it. Call with the set-up lock held.
 * @param {AbortSignal} signal
 */
export async function buildOtelcol(signal) {
  const { go, missing } = findGo();
  if (!go)
    return say(
      `${missing}: the demo shows no trace, and tests with the OpenTelemetry collector are skipped; install Go 1.25 or newer`,
    );
  await buildGo(otelcol, go, { expected: '1 to 2 minutes on two cores', signal });
}
