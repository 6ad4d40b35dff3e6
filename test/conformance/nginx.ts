import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from '../../harness/child.ts';
import { freePort } from '../../harness/port.ts';
import { which } from '../../setup/commands.mjs';

const PATIENCE_MS = 10_000;

/** nginx on a port of its own, with `http` beside its one server and `lines` within it. It must be on this machine. */
export async function startNginx(
  http: string,
  lines: readonly string[],
): Promise<AsyncDisposable & { readonly port: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'signet-nginx-'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const config = `master_process off; daemon off; pid ${folder}/pid;
events { worker_connections 512; }
http { access_log off; ${temporary.join(' ')} ${http}
server { listen 127.0.0.1:${port}; ${lines.join('\n')} } }`;
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, config);
  const child = await startChild(which('nginx', ['/usr/sbin'])!, ['-c', file, '-e', 'stderr']);
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await accepts(port))) {
    if (Date.now() > deadline) throw new Error(`nginx does not listen: ${child.stderr()}`);
    await sleep(20);
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
