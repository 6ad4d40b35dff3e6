import { randomBytes } from 'node:crypto';
import type { World } from '../world.ts';
import { ask, expect, type Shown } from './shown.ts';

/** A request whose trace is recorded: the collector gets a span of each sidecar. */
export async function trace(world: World): Promise<Shown<number>> {
  const { collector } = world;
  if (collector === null)
    return { title: 'trace', facts: 'not shown: the collector is not built, which takes Go', found: 0 };
  const id = randomBytes(16).toString('hex');
  const traceparent = `00-${id}-${randomBytes(8).toString('hex')}-01`;
  const answer = await ask(world.web, 'GET', '/orders/42', { traceparent });
  expect(answer.status === 200, 'the traced request', answer);
  const told = await collector.until((text) => spansOf(text, id).length >= 2);
  const spans = spansOf(told, id);
  const caller = /signet\.caller: Str\(\S+\)/.exec(told.slice(told.indexOf(id)))?.[0] ?? '';
  return {
    title: 'trace',
    facts: `${spans.length} spans of trace ${id} at the OpenTelemetry collector: ${spans.join(', ')}; it says ${caller}`,
    found: spans.length,
  };
}

/** Kind and name of each span of a trace, as the collector writes them down. */
function spansOf(text: string, id: string): string[] {
  return text
    .split(/^Span #\d+$/m)
    .filter((span) => new RegExp(`Trace ID +: ${id}`).test(span))
    .map((span) => `${/Kind +: (\w+)/.exec(span)?.[1]} ${/Name +: (\S+)/.exec(span)?.[1]}`);
}
