/** The system calls that Node lacks, through `node:ffi`. */
export interface SystemCalls {
  /** No core dump, and /proc/PID of this process belongs to root: nobody of the same uid reads its memory. False when refused. */
  forbidDumps(): boolean;
  /**
   * Where a connection that the kernel redirected to us was going (SO_ORIGINAL_DST), by its file descriptor. Undefined when the kernel does
   * not know. An IPv6 address is in full, without brackets.
   */
  originalDestination(
    fd: number,
    family: 4 | 6,
  ): { readonly host: string; readonly port: number } | undefined;
  /** Gives memory that was freed back to the system. Left out where the C library has no call for it. */
  releaseMemory?(): void;
}

const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
const SOL_IP = 0;
const SOL_IPV6 = 41;
/** As IP6T_SO_ORIGINAL_DST. */
const SO_ORIGINAL_DST = 80;

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
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer'], return: 'i32' },
      setrlimit: { arguments: ['i32', 'pointer'], return: 'i32' },
    });
    return {
      forbidDumps() {
        const none = Buffer.alloc(16);
        const limited = functions.setrlimit(RLIMIT_CORE, ffi.getRawPointer(none)) === 0;
        functions.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n);
        return limited && functions.prctl(PR_GET_DUMPABLE, 0n, 0n, 0n, 0n) === 0;
      },
      originalDestination(fd, family) {
        // sockaddr_in: family, port, 4 bytes; sockaddr_in6: family, port, flow, 16 bytes
        const [address, length] = [Buffer.alloc(28), Buffer.alloc(4)];
        length.writeUInt32LE(address.length);
        const level = family === 4 ? SOL_IP : SOL_IPV6;
        const [at, lengthAt] = [ffi.getRawPointer(address), ffi.getRawPointer(length)];
        if (functions.getsockopt(fd, level, SO_ORIGINAL_DST, at, lengthAt) !== 0) return undefined;
        const host =
          family === 4
            ? address.subarray(4, 8).join('.')
            : Array.from({ length: 8 }, (_, i) => address.readUInt16BE(8 + i * 2).toString(16)).join(':');
        return { host, port: address.readUInt16BE(2) };
      },
      ...memoryRelease(ffi),
    };
  } catch {
    return undefined;
  }
}

/** Of glibc alone. */
function memoryRelease(ffi: typeof import('node:ffi')): Pick<SystemCalls, 'releaseMemory'> {
  try {
    const { functions } = ffi.dlopen(null, { malloc_trim: { arguments: ['u64'], return: 'i32' } });
    return { releaseMemory: () => void functions.malloc_trim(0n) };
  } catch {
    return {};
  }
}
