import { request } from './http.ts';

/** A listener of ours on this machine, and the setting that says where it is. */
export type Asked = { readonly setting: string } & (
  | { readonly host: string; readonly port: number }
  | { readonly socket: string }
);

const PATIENCE_MS = 3_000;
const MOST_ANSWER = 4_096;

/**
 * `signet <program> health`: asks a running program of ours whether it is ready, for a container engine whose image has no shell and no
 * curl. What it answers is told in one line.
 * @param asked a text is why nobody can be asked
 * @returns the exit status: 0 ready, 1 not ready or no answer, 2 nobody can be asked
 */
export async function healthCommand(program: string, asked: Asked | string): Promise<0 | 1 | 2> {
  const tell = (text: string) => process.stderr.write(`signet ${program} health: ${text}\n`);
  if (typeof asked === 'string') {
    tell(asked);
    return 2;
  }
  try {
    const { status, text } = await askReadiness(asked);
    if (status === 200) return 0;
    tell(`not ready: ${status} ${text.replace(/[^\x20-\x7e]+/g, ' ').trim()}`);
  } catch (error) {
    tell(`no answer where ${asked.setting} says: ${error instanceof Error ? error.message : String(error)}`);
  }
  return 1;
}

function askReadiness(asked: Asked): Promise<{ readonly status: number; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const where =
    'socket' in asked ? { socketPath: asked.socket } : { host: here(asked.host), port: asked.port };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  request({ ...where, path: '/readyz', agent: false, signal }, (response) => {
    let text = '';
    response.setEncoding('latin1');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MOST_ANSWER) response.destroy(new Error('it answers too much'));
    });
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    response.on('error', reject);
  })
    .on('error', (error) => reject(signal.aborted ? new Error(`none within ${PATIENCE_MS} ms`) : error))
    .end();
  return promise;
}

/** Every address of this machine is one where it can be asked on loopback. */
function here(host: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
}
