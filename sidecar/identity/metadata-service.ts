import { type IncomingMessage, request } from 'node:http';
import { AcquireError } from './acquire-error.ts';

const OWN_ADDRESS = new URL('http://169.254.169.254');
const DOCUMENT = '/latest/dynamic/instance-identity/rsa2048';
const TIMEOUT_MS = 3_000;
const MAX_TOKEN = 1_024;
const MAX_DOCUMENT = 16_384;

/**
 * The identity document of the EC2 instance that we run on, in its PKCS#7 signature, base64. By version 2 of the metadata service alone: a
 * token first, by PUT, then what is asked for.
 * @throws AcquireError `EVIDENCE_UNAVAILABLE`
 */
export async function readIdentityDocument(service: URL = OWN_ADDRESS): Promise<string> {
  const token = await ask(
    service,
    'PUT',
    '/latest/api/token',
    { 'X-aws-ec2-metadata-token-ttl-seconds': '60' },
    MAX_TOKEN,
  );
  if (!/^[\x21-\x7e]+$/.test(token)) throw unusable('no token');
  const text = await ask(service, 'GET', DOCUMENT, { 'X-aws-ec2-metadata-token': token }, MAX_DOCUMENT);
  const document = text.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(document)) throw unusable('no document');
  return document;
}

async function ask(
  service: URL,
  method: 'PUT' | 'GET',
  path: string,
  headers: Readonly<Record<string, string>>,
  maxBytes: number,
): Promise<string> {
  let response: IncomingMessage;
  let text = '';
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await new Promise<IncomingMessage>((resolve, reject) => {
      const asked = request(new URL(path, service), { method, agent: false, headers, signal });
      asked.once('response', resolve);
      asked.on('error', reject);
      asked.end();
    });
    for await (const chunk of response.setEncoding('latin1') as AsyncIterable<string>) {
      text += chunk;
      if (text.length > maxBytes) throw new Error(`over ${maxBytes} bytes`);
    }
  } catch (cause) {
    throw unusable('no answer', cause);
  }
  if (response.statusCode === 200) return text.trim();
  throw unusable(`status ${response.statusCode}`);
}

function unusable(reason: string, cause?: unknown): AcquireError {
  return new AcquireError(
    'EVIDENCE_UNAVAILABLE',
    'the instance metadata service gives no identity document',
    {
      reason,
      cause,
    },
  );
}
