/** The system calls that Node lacks, through `node:ffi`. */
export interface SystemCalls {
  /** No core dump, and /proc/PID of this process belongs to root: nobody of the same uid reads its memory. False when refused. */
  forbidDumps(): boolean;
}

const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;

/**
 * Undefined where there is none: not Linux, or a Node without `node:ffi`. The rest must work without it, and say so.
 * `node:ffi` is experimental: a change in it shows here and nowhere else.
 */
export async function openSystemCalls(): Promise<SystemCalls | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const ffi = await import('node:ffi');
    const { functions } = ffi.dlopen(null, {
      prctl: { arguments: ['i32', 'u64', 'u64', 'u64', 'u64'], return: 'i32' },
      setrlimit: { arguments: ['i32', 'pointer'], return: 'i32' },
    });
    return {
      forbidDumps() {
        const none = Buffer.alloc(16);
        const limited = functions.setrlimit(RLIMIT_CORE, ffi.getRawPointer(none)) === 0;
        functions.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n);
        return limited && functions.prctl(PR_GET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
      },
    };
  } catch {
    return undefined;
  }
}
