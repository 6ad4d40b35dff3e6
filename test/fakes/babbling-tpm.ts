import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/** What a TPM answers to the n-th command; null: nothing; `end`: it hangs up. */
export type Babble = (command: Buffer, n: number) => Uint8Array | null | 'end';

/** A socket where something answers that need not be a TPM. */
export async function startBabblingTpm(
  dir: string,
  babble: Babble,
): Promise<{ readonly socket: string } & AsyncDisposable> {
  const socket = join(dir, `tpm-${Math.random().toString(36).slice(2)}`);
  const open = new Set<Socket>();
  const server = createServer((connection) => {
    open.add(connection);
    let n = 0;
    connection.on('error', () => {});
    connection.on('data', (command: Buffer) => {
      const answer = babble(command, n++);
      if (answer === 'end') connection.destroy();
      else if (answer !== null) connection.write(answer);
    });
  });
  server.listen(socket);
  await once(server, 'listening');
  return {
    socket,
    async [Symbol.asyncDispose]() {
      for (const connection of open) connection.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
