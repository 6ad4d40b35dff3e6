import { writeSync } from 'node:fs';
import { codeOf, placesOf } from '../diagnostic-message.ts';
import type { Provider } from '../resource.ts';
import { createService, type Log } from '../service/index.ts';
import { createCertificate } from './certificate.ts';
import { startServer } from './server.ts';

/** The handshake of go-plugin. It keeps a person from starting a plugin by mistake, and no one else. */
const COOKIE = [
  'TF_PLUGIN_MAGIC_COOKIE',
  'd602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2',
] as const;
const CORE_PROTOCOL = 1;
const PROTOCOL = 6;
/** Terraform kills a plugin 2 s after it has told it to end. */
const PATIENCE = 1000;
const LOOK_EVERY = 2000;

/** Serves the provider to the Terraform or OpenTofu that started this process, until that is done with it. */
export async function serve<Client>(provider: Provider<Client>): Promise<void> {
  const { env } = process;
  const [name, value] = COOKIE;
  if (env[name] !== value) return refuse(whatThisIs(provider));
  const versions = env['PLUGIN_PROTOCOL_VERSIONS']?.split(',') ?? [];
  if (versions.length > 0 && !versions.includes(String(PROTOCOL)))
    return refuse(
      `${program(provider)} needs Terraform 1.0 or OpenTofu: it speaks plugin protocol ${PROTOCOL}`,
    );
  const clientCertificate = env['PLUGIN_CLIENT_CERT'];
  if (!clientCertificate) return refuse(`${program(provider)} serves over mutual TLS only`);
  tellCrashes(program(provider));
  // Interrupts go to the whole group. Terraform says what is to be done of them: StopProvider.
  process.on('SIGINT', () => {});
  const certificate = createCertificate(new Date());
  const server = await startServer({
    handlers: createService(provider, log(provider)),
    certificate,
    clientCertificate,
    folder: env['PLUGIN_UNIX_SOCKET_DIR'] || undefined,
    shutdown: () => void server.close(PATIENCE).then(() => process.exit(0)),
  });
  endWith(process.ppid);
  const shown = certificate.der.toString('base64').replace(/=+$/, '');
  process.stdout.write(`${CORE_PROTOCOL}|${PROTOCOL}|${server.network}|${server.address}|grpc|${shown}\n`);
}

function program({ name, version }: Pick<Provider, 'name' | 'version'>): string {
  return `terraform-provider-${name} ${version}`;
}

function whatThisIs(provider: Pick<Provider, 'name' | 'version'>): string {
  return `${program(provider)} is a plugin of Terraform and OpenTofu, which start it themselves; it does nothing when run by hand`;
}

function refuse(line: string): void {
  process.stderr.write(`${line}\n`);
  process.exitCode = 1;
}

/** Lines in the form that Terraform's own log takes apart. */
function log(provider: Pick<Provider, 'name'>): Log {
  return (fields) => {
    const head = { '@level': 'error', '@module': provider.name, '@timestamp': new Date().toISOString() };
    process.stderr.write(`${JSON.stringify({ ...head, ...fields })}\n`);
  };
}

/** What ends us is told by its code and place. A message may hold values; Terraform shows what follows `panic:`. */
function tellCrashes(what: string): void {
  process.on('uncaughtException', (error: unknown) => {
    const lines = [`panic: ${what} ended by a fault of its own: ${codeOf(error)}`, '', ...placesOf(error)];
    writeSync(2, `${lines.join('\n')}\n`);
    process.exit(2);
  });
}

/** A Terraform that was killed can tell nobody. */
function endWith(parent: number): void {
  setInterval(() => process.ppid !== parent && process.exit(1), LOOK_EVERY).unref();
}
