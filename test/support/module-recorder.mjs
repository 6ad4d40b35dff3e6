// Loaded by `--import` before a program: at its end it writes the URL of every module that was loaded, one a line,
// to the file that LOADED_MODULES names.
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** @type {Set<string>} */
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    loaded.add(url);
    return next(url, context);
  },
});
process.on('exit', () => {
  // Node's own parts that were loaded, as `NativeModule internal/deps/…`; its types do not know the list
  const { moduleLoadList } = /** @type {typeof process & { moduleLoadList: string[] }} */ (process);
  writeFileSync(String(process.env['LOADED_MODULES']), [...loaded, ...moduleLoadList].join('\n'));
});
