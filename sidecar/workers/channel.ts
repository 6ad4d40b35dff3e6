import { untilStopped } from '../../lib/adapter/lifecycle.ts';
import type { Controls } from '../controls.ts';
import type { Direction } from '../run.ts';
import type { FromWorker, Order, ToWorker } from './messages.ts';

/**
 * A worker, directed by its supervisor over the channel between the two processes. When the supervisor is gone, whatever became of it,
 * the worker drains and ends. Call once.
 */
export function byChannel(): Direction {
  const stopping = new AbortController();
  const reloads: (() => void)[] = [];
  let controls: Controls | null = null;
  let patient = false;
  const obey = (order: Order) => {
    if (order === 'reload') for (const reload of reloads) reload();
    else {
      if (!stopping.signal.aborted) patient = order === 'replaced';
      stopping.abort(order);
    }
  };
  process.on('message', (message: ToWorker) => {
    if ('order' in message) obey(message.order);
    else void answer(controls, message).then((value) => send({ id: message.id, value }));
  });
  process.on('disconnect', () => stopping.abort('orphaned'));
  if (!process.connected) stopping.abort('orphaned');
  return {
    // a signal to the whole process group reaches us by itself
    stop: AbortSignal.any([untilStopped(), stopping.signal]),
    get patient() {
      return patient;
    },
    onReload(reload) {
      reloads.push(reload);
      process.on('SIGHUP', reload);
    },
    async oversee(given) {
      controls = given;
      return {
        async [Symbol.asyncDispose]() {
          controls = null;
          // an open channel would keep the process alive
          if (process.connected) process.disconnect?.();
        },
      };
    },
    tell: (missing) => send({ missing }),
  };
}

type Asked = Extract<ToWorker, { readonly ask: unknown }>;

/** Undefined when there is no answer. */
async function answer(controls: Controls | null, { ask }: Asked): Promise<unknown> {
  try {
    return await controls?.[ask]();
  } catch {
    return undefined;
  }
}

function send(message: FromWorker): void {
  // a supervisor that has gone since is told of by `disconnect`
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
