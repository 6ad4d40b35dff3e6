import { X509Certificate } from 'node:crypto';
import { Client, credentials, type ServiceDefinition } from '@grpc/grpc-js';
import type { Child } from '../../../harness/child.ts';
import type { OwnCertificate } from '../../../terraform/provider/plugin/serve/certificate.ts';
import { providerService } from '../../../terraform/provider/plugin/serve/protocol.ts';

/** What a plugin says of itself in its first line. */
export interface HandshakeLine {
  readonly core: string;
  readonly protocol: string;
  readonly network: string;
  readonly address: string;
  readonly kind: string;
  readonly certificate: Buffer;
}

/** Waits for the line. @throws when the plugin ends without one */
export async function readHandshake(child: Child): Promise<HandshakeLine> {
  while (!child.stdout().includes('\n')) {
    const ended = await Promise.race([child.ended, new Promise((resolve) => setTimeout(resolve, 20))]);
    if (ended) throw new Error(`the plugin ended without a line: ${child.stderr()}`);
  }
  const [core = '', protocol = '', network = '', address = '', kind = '', shown = ''] = child
    .stdout()
    .trim()
    .split('|');
  return { core, protocol, network, address, kind, certificate: Buffer.from(shown, 'base64') };
}

/** One call of a plugin, as its host makes it. */
export async function callProvider(
  line: HandshakeLine,
  own: OwnCertificate,
  path: string,
  request: object,
): Promise<Record<string, unknown>> {
  const pem = new X509Certificate(line.certificate).toString();
  const client = new Client(
    line.network === 'unix' ? `unix:${line.address}` : line.address,
    credentials.createSsl(Buffer.from(pem), Buffer.from(own.key), Buffer.from(own.pem)),
    { 'grpc.ssl_target_name_override': 'localhost', 'grpc.default_authority': 'localhost' },
  );
  const { serialize, deserialize } = methodOf(path);
  try {
    return await new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        path,
        serialize,
        deserialize,
        request,
        { deadline: Date.now() + 20_000 },
        (error, answer) => (error ? reject(error) : resolve(answer as Record<string, unknown>)),
      ),
    );
  } finally {
    client.close();
  }
}

function methodOf(path: string) {
  const found = Object.values(providerService() as ServiceDefinition).find((each) => each.path === path);
  if (!found) return { serialize: () => Buffer.alloc(0), deserialize: (bytes: Buffer) => ({ bytes }) };
  return { serialize: found.requestSerialize, deserialize: found.responseDeserialize };
}
