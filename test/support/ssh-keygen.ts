import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Keys, certificates and signatures made by the real `ssh-keygen`. */
export interface SshKeygen extends AsyncDisposable {
  readonly dir: string;
  newKey(name: string, type?: 'ed25519' | 'ecdsa' | 'rsa'): Promise<SshKey>;
}

export interface SshKey {
  /** The private key's file. */
  readonly file: string;
  /** `SHA256:…`, as `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
  /** An armoured SSHSIG, as a host would make it over the broker's proof. */
  sign(message: Uint8Array, namespace?: string): Promise<string>;
  /** Makes this key a host's whom `ca` vouches for; it then signs as such. */
  certify(
    ca: SshKey,
    options: { readonly principals: string; readonly validity?: string; readonly user?: boolean },
  ): Promise<SshKey>;
}

export async function sshKeygen(): Promise<SshKeygen> {
  const dir = await mkdtemp(join(tmpdir(), 'signet-ssh-'));
  return {
    dir,
    async newKey(name, type = 'ed25519') {
      const file = join(dir, name);
      const size = type === 'rsa' ? ['-b', '2048'] : [];
      await run('ssh-keygen', ['-q', '-t', type, ...size, '-N', '', '-C', name, '-f', file]);
      return await keyOf(file, file);
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

async function keyOf(file: string, signer: string): Promise<SshKey> {
  const { stdout } = await run('ssh-keygen', ['-l', '-f', `${file}.pub`]);
  let count = 0;
  return {
    file,
    fingerprint: stdout.split(' ')[1] ?? '',
    async sign(message, namespace = 'signet-attest-v1') {
      const text = `${file}.message-${process.pid}-${count++}`;
      await writeFile(text, message);
      await run('ssh-keygen', ['-q', '-Y', 'sign', '-f', signer, '-n', namespace, text]);
      return await readFile(`${text}.sig`, 'utf8');
    },
    async certify(ca, { principals, validity = '+1h', user = false }) {
      const kind = user ? [] : ['-h'];
      await run('ssh-keygen', [
        '-q',
        '-s',
        ca.file,
        ...kind,
        '-I',
        'a host',
        '-n',
        principals,
        '-V',
        validity,
        `${file}.pub`,
      ]);
      return await keyOf(file, `${file}-cert.pub`);
    },
  };
}
