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
  /**
   * Lets a listening TCP socket, by its file descriptor, begin no more connections: the kernel drops what would begin one, and the client
   * asks again after a second. Those that were begun can still be accepted. False when refused.
   */
  beginNoMore(fd: number): boolean;
  /**
   * Sends one datagram to a unix socket, by its path; one in the abstract namespace begins with `@`. False when it was not taken, or the path
   * is too long for a socket.
   */
  sendToSocket(path: string, content: string): boolean;
}

const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const RLIMIT_CORE = 4;
const SOL_IP = 0;
const SOL_IPV6 = 41;
/** As IP6T_SO_ORIGINAL_DST. */
const SO_ORIGINAL_DST = 80;
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** Of the path in a sockaddr_un. */
const LONGEST_PATH = 107;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
/** Classic BPF over the TCP header (code, jump if true, jump if false, operand): a segment with the flag SYN is dropped. */
const NO_SYN = [
  [0x30, 0, 0, 13], // load the byte of the flags
  [0x45, 0, 1, 0x02], // SYN?
  [0x06, 0, 0, 0], // drop
  [0x06, 0, 0, 0xffff_ffff], // keep whole
] as const;

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
      setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'], return: 'i32' },
      setrlimit: { arguments: ['i32', 'pointer'], return: 'i32' },
      socket: { arguments: ['i32', 'i32', 'i32'], return: 'i32' },
      sendto: { arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'u32'], return: 'i64' },
      close: { arguments: ['i32'], return: 'i32' },
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
      beginNoMore(fd) {
        // struct sock_filter: 16 bits of code, 8 and 8 of jumps, 32 of operand; struct sock_fprog: how many, and on its next word where
        const [filter, program] = [Buffer.alloc(8 * NO_SYN.length), Buffer.alloc(16)];
        for (const [i, [code, yes, no, operand]] of NO_SYN.entries()) {
          filter.writeUInt16LE(code, i * 8);
          filter.writeUInt8(yes, i * 8 + 2);
          filter.writeUInt8(no, i * 8 + 3);
          filter.writeUInt32LE(operand, i * 8 + 4);
        }
        program.writeUInt16LE(NO_SYN.length);
        program.writeBigUInt64LE(ffi.getRawPointer(filter), 8);
        const at = ffi.getRawPointer(program);
        return functions.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, at, program.length) === 0;
      },
      sendToSocket(path, content) {
        const name = Buffer.from(path.replace(/^@/, '\0'));
        if (name.length > LONGEST_PATH) return false;
        const [address, message] = [Buffer.alloc(2 + name.length), Buffer.from(content)];
        address.writeUInt16LE(AF_UNIX);
        name.copy(address, 2);
        const fd = functions.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0) return false;
        try {
          const [at, to] = [ffi.getRawPointer(message), ffi.getRawPointer(address)];
          const length = BigInt(message.length);
          return functions.sendto(fd, at, length, MSG_NOSIGNAL, to, address.length) === length;
        } finally {
          functions.close(fd);
        }
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
