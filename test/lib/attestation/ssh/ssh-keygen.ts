import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Every kind of host key that Signet takes, as arguments of `ssh-keygen`. */
export const KEY_KINDS = [
  ['ed25519', 'ssh-ed25519', ['-t', 'ed25519']],
  ['ecdsa-256', 'ecdsa-sha2-nistp256', ['-t', 'ecdsa', '-b', '256']],
  ['ecdsa-384', 'ecdsa-sha2-nistp384', ['-t', 'ecdsa', '-b', '384']],
  ['ecdsa-521', 'ecdsa-sha2-nistp521', ['-t', 'ecdsa', '-b', '521']],
  ['rsa-2048', 'ssh-rsa', ['-t', 'rsa', '-b', '2048']],
  ['rsa-3072', 'ssh-rsa', ['-t', 'rsa', '-b', '3072']],
] as const;

/** The real `ssh-keygen` in a folder of its own. */
export class SshKeygen {
  readonly #folder = mkdtempSync(join(tmpdir(), 'signet-ssh-'));

  run(args: readonly string[], input = ''): string {
    // Without the user's agent, which ssh-keygen would ask first.
    const env = { PATH: process.env['PATH'], HOME: this.#folder };
    return execFileSync('ssh-keygen', args, { cwd: this.#folder, env, input, stdio: 'pipe' }).toString();
  }
  read(file: string): string {
    return readFileSync(join(this.#folder, file), 'utf8');
  }
  write(file: string, text: string): void {
    writeFileSync(join(this.#folder, file), text, { mode: 0o600 });
  }

  key(name: string, kind: readonly string[] = ['-t', 'ed25519'], passphrase = ''): void {
    this.run(['-q', ...kind, '-N', passphrase, '-C', name, '-f', name]);
  }
  /** Certifies `key` by `ca`; a host's, named `host.example` and valid for an hour unless `args` say otherwise. */
  certify(ca: string, key: string, args: readonly string[] = HOST): void {
    this.run(['-q', '-s', ca, '-I', 'the id', ...args, `${key}.pub`]);
  }
  /** `key` names a private key, or the `-cert.pub` beside one. */
  sign(key: string, message: string, namespace = 'signet-attest-v1'): string {
    return this.run(['-Y', 'sign', '-f', key, '-n', namespace], message);
  }
  fingerprint(file: string): string {
    return this.run(['-l', '-f', file]).split(' ')[1]!;
  }
  /** What `-Y check-novalidate` says of the signature; throws when it is no good. */
  check(armored: string, message: string): string {
    this.write('checked.sig', armored);
    return this.run(['-Y', 'check-novalidate', '-n', 'signet-attest-v1', '-s', 'checked.sig'], message);
  }
  /** What `-Y verify` says of a bare key's signature; throws when it is no good. */
  verify(publicKey: string, armored: string, message: string): string {
    this.write('allowed', `host namespaces="signet-attest-v1" ${this.read(publicKey)}`);
    this.write('checked.sig', armored);
    return this.run(
      ['-Y', 'verify', '-f', 'allowed', '-I', 'host', '-n', 'signet-attest-v1', '-s', 'checked.sig'],
      message,
    );
  }
  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}

export const HOST = ['-h', '-n', 'host.example', '-V', '-1h:+1h'] as const;
