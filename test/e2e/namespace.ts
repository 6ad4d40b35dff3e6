import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { which } from '../../setup/commands.mjs';

const exec = promisify(execFile);

/** What tests of the redirect drive. @returns whether all of it is there, and may be used */
export function mayRedirect(): boolean {
  const tools = ['ip', 'nft', 'iptables', 'setpriv'];
  return process.getuid?.() === 0 && tools.every((tool) => which(tool, ['/usr/sbin', '/sbin']));
}

/** A network namespace with a route to 10.9.0.0/24 and fd09::/64, where nobody is; what it held is gone with it. */
export class Namespace implements AsyncDisposable {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }

  static async create(): Promise<Namespace> {
    const namespace = new Namespace(`signet-${process.pid}`);
    await exec('ip', ['netns', 'add', namespace.name]);
    for (const line of [
      'link set lo up',
      'link add far type veth peer name near',
      'address add 10.9.0.1/24 dev far',
      'address add fd09::1/64 dev far nodad',
      'link set near up',
      'link set far up',
    ])
      await namespace.run('ip', line.split(' '));
    return namespace;
  }

  /** What runs a program in it. */
  get inside(): string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  run(file: string, args: readonly string[], input = '') {
    const running = exec('ip', ['netns', 'exec', this.name, file, ...args], { timeout: 20_000 });
    // a program that reads nothing may have ended before
    running.child.stdin?.on('error', () => {}).end(input);
    return running;
  }

  /** What a user hears from an address after asking for /a; empty when nobody takes the connection within a second. */
  async ask(uid: number, host: string, port: number, name: string): Promise<string> {
    const script = `exec 3<>/dev/tcp/${host}/${port} && printf 'GET /a HTTP/1.1\\r\\nHost: ${name}\\r\\nConnection: close\\r\\n\\r\\n' >&3 && cat <&3`;
    const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
    const shell = ['timeout', '1', 'bash', '-c', script];
    const told = await this.run('setpriv', [...user, ...shell]).catch((error: { stdout: string }) => error);
    return told.stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await exec('ip', ['netns', 'delete', this.name]);
  }
}
