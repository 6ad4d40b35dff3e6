/**
 * Has `look` run for all who ask, one look after the other: what was read earlier never comes in the place of what was read later. A look
 * that began before the question may have missed what the asker means, so then it is the next one that answers, once for all who ask meanwhile.
 */
export function sharedLook<T>(look: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = () => {
    running = look().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running.then(ignore, ignore).then(() => {
      next = undefined;
      return running ?? start();
    });
    return next;
  };
}

function ignore(): void {}
