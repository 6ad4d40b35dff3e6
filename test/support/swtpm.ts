import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Context } from 'mocha';
import { type Child, startChild } from '../../harness/child.ts';
import { which } from '../../setup/commands.mjs';

const call = promisify(execFile);

/** A software TPM that its maker certified, on a socket of its own. It speaks with one caller at a time. */
export interface Swtpm extends AsyncDisposable {
  readonly dir: string;
  readonly socket: string;
  /** The maker's authority, PEM. */
  readonly ca: string;
  /** A character device that speaks for it, as the kernel's does: a command by one write, the response by reads. */
  device(): Promise<{ readonly path: string } & AsyncDisposable>;
  /** Runs one of tpm2-tools against it, in `dir`. */
  tool(name: string, ...args: readonly string[]): Promise<string>;
  /** Forgets everything that was loaded, as a machine does that starts anew. */
  restart(): Promise<void>;
}

export async function startSwtpm(): Promise<Swtpm> {
  const dir = await mkdtemp(join(tmpdir(), 'signet-tpm-'));
  const socket = join(dir, 'tpm');
  await Promise.all(['state', 'maker'].map((name) => mkdir(join(dir, name))));
  const maker = (name: string) => join(dir, 'maker', name);
  await writeFile(
    join(dir, 'setup.conf'),
    `create_certs_tool = ${which('swtpm_localca')}
create_certs_tool_config = ${join(dir, 'maker.conf')}
create_certs_tool_options = ${join(dir, 'maker.options')}
active_pcr_banks = sha256
`,
  );
  await writeFile(
    join(dir, 'maker.conf'),
    `statedir = ${maker('')}
signingkey = ${maker('signkey.pem')}
issuercert = ${maker('issuercert.pem')}
certserial = ${maker('certserial')}
`,
  );
  await writeFile(
    join(dir, 'maker.options'),
    '--platform-manufacturer Test\n--platform-version 1\n--platform-model Test\n',
  );
  const state = join(dir, 'state');
  const asRoot = process.getuid?.() === 0 ? ['--runas', 'root'] : [];
  await call('swtpm_setup', [
    ...asRoot,
    ...['--tpm2', '--tpm-state', state, '--create-ek-cert', '--config', join(dir, 'setup.conf')],
  ]);
  const start = async (): Promise<Child> => {
    const child = await startChild('swtpm', [
      ...['socket', '--tpm2', '--tpmstate', `dir=${state}`, '--flags', 'not-need-init,startup-clear'],
      ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
    ]);
    for (let patience = 400; !existsSync(socket) || !existsSync(`${socket}.ctrl`); patience--) {
      if (patience === 0) throw new Error(`no swtpm: ${child.stderr()}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return child;
  };
  let child = await start();
  return {
    dir,
    socket,
    ca: await readFile(maker('issuercert.pem'), 'utf8'),
    async tool(name, ...args) {
      const env = { ...process.env, TPM2TOOLS_TCTI: `swtpm:path=${socket}` };
      return (await call(name, [...args], { cwd: dir, env })).stdout;
    },
    async device() {
      const bridge = await startChild('python3', ['-c', BRIDGE, socket]);
      for (let patience = 400; !bridge.stdout().includes('\n'); patience--) {
        if (patience === 0) throw new Error(`no device: ${bridge.stderr()}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      return {
        path: bridge.stdout().trim(),
        async [Symbol.asyncDispose]() {
          await bridge.stop();
        },
      };
    },
    async restart() {
      await child.stop();
      await Promise.all([rm(socket, { force: true }), rm(`${socket}.ctrl`, { force: true })]);
      child = await start();
    },
    async [Symbol.asyncDispose]() {
      await child.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A terminal that changes no byte, one connection of the TPM's socket behind it. */
const BRIDGE = `
import os, pty, select, socket, sys, tty
front, back = pty.openpty()
tty.setraw(back)
tpm = socket.socket(socket.AF_UNIX)
tpm.connect(sys.argv[1])
print(os.ttyname(back), flush=True)
while True:
    for ready in select.select([front, tpm], [], [])[0]:
        if ready is front:
            tpm.sendall(os.read(front, 4096))
        else:
            answer = tpm.recv(4096)
            if not answer: sys.exit()
            os.write(front, answer)
`;

/** Without a software TPM there is nothing to try; with CI=true that is a failure. */
export function needSwtpm(context: Context): void {
  const there = ['swtpm', 'swtpm_setup', 'tpm2_createek'].every((name) => which(name) !== undefined);
  if (!there && process.env['CI'] !== 'true') context.skip();
}
