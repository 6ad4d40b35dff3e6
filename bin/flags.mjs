// How Node is started for each program.

/**
 * Node's own flags. A service opens no debugger for who may send it a signal. The sidecar is small before it is quick to collect: a young
 * generation of 1 MB, one thread, no compiler between the first and the last; and it may ask for a collection before it is ready.
 * @satisfies {Readonly<Record<string, readonly string[]>>}
 */
export const flags = {
  sidecar: [
    '--disable-warning=ExperimentalWarning',
    '--disable-sigusr1',
    '--max-semi-space-size=1',
    '--v8-pool-size=0',
    '--expose-gc',
  ],
  broker: ['--disable-warning=ExperimentalWarning', '--disable-sigusr1'],
  cli: ['--disable-warning=ExperimentalWarning'],
};

/**
 * What goes before a program's environment: one arena of memory for all threads, which keeps less than one for each.
 * @satisfies {Readonly<Record<string, Readonly<Record<string, string>>>>}
 */
export const environment = { sidecar: { MALLOC_ARENA_MAX: '1' }, broker: {}, cli: {} };
