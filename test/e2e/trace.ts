/** A string as `strace -xx` prints it. */
const HEX_STRING = /"((?:\\x[0-9a-f]{2})*)"/g;
const WRITE = /\b(?:write|writev|pwrite64|pwritev2?)\(\d+<((?:\\x[0-9a-f]{2})+)>, (.*)/;
const OPENED_TO_WRITE = /\b(?:openat|creat)\(.*?"((?:\\x[0-9a-f]{2})*)".*\bO_(?:WRONLY|RDWR|CREAT)/;
const SHARED_MAPPING = /\bmmap\(.*PROT_WRITE.*MAP_SHARED.*<((?:\\x[0-9a-f]{2})+)>/;
/**
 * Ways to a disk that this reading of the trace would not see. Of io_uring, libuv always makes a ring for epoll alone; one for files is
 * polled by the kernel.
 */
const UNSEEN =
  /\b(io_uring_setup(?=.*IORING_SETUP_SQPOLL)|memfd_create|rename\w*|link\w*|sendfile|splice|copy_file_range)\(/;

/**
 * What a process wrote to files, by path, from the output of `strace -f -y -xx`. A file that was only opened for writing has no pieces.
 * Sockets and pipes are no files.
 * @throws when the process could have written in a way that the trace does not show
 */
export function fileWrites(trace: string): ReadonlyMap<string, readonly Buffer[]> {
  const files = new Map<string, Buffer[]>();
  const add = (path: string, pieces: Buffer[]) => {
    if (path.startsWith('/')) files.set(path, [...(files.get(path) ?? []), ...pieces]);
  };
  for (const line of trace.split('\n')) {
    const unseen = UNSEEN.exec(line);
    if (unseen) throw new Error(`the trace does not show what ${unseen[1]} writes`);
    const [, target, args] = WRITE.exec(line) ?? [];
    if (target !== undefined) {
      add(
        decode(target).toString(),
        Array.from(args!.matchAll(HEX_STRING), ([, text]) => decode(text!)),
      );
    }
    const opened = OPENED_TO_WRITE.exec(line) ?? SHARED_MAPPING.exec(line);
    if (opened) add(decode(opened[1]!).toString(), []);
  }
  return files;
}

/** The calls to have traced. */
export const TRACED_CALLS = [
  'openat,creat,write,writev,pwrite64,pwritev,pwritev2,mmap,memfd_create,io_uring_setup,rename,renameat,renameat2,link,linkat',
  'sendfile,splice,copy_file_range',
].join(',');

function decode(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex');
}
