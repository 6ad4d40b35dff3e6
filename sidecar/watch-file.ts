import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Editors write in several steps, and each step is an event. */
const SETTLE_MS = 100;

/**
 * Watches the folder: a file replaced by renaming is another file, of which its own watch hears nothing. Kubernetes renames `..data`
 * beside it. `failed` is told when it cannot be watched, or no longer.
 */
export function watchFile(
  file: string,
  onChange: () => void,
  failed: (error: unknown) => void,
): FSWatcher | undefined {
  let settling = false;
  try {
    const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (settling || (name !== null && name !== basename(file) && !name.startsWith('..'))) return;
      settling = true;
      setTimeout(() => {
        settling = false;
        onChange();
      }, SETTLE_MS).unref();
    });
    watcher.on('error', failed);
    return watcher;
  } catch (error) {
    failed(error);
    return undefined;
  }
}
