import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../harness/port.ts';
import type { Svid } from '../../../sidecar/identity/credentials.ts';
import { answerTo, ask, openPlain } from '../http2/world.ts';
import { problemIn } from '../inbound/world.ts';
import { dialPlain, until } from '../sockets.ts';
import { authority, credentialsFor, WEB } from '../support.ts';
import { pair, upstream } from './world.ts';

/** OpenSSL's server, which judges a client's certificate after the handshake of TLS 1.3 and says by an alert what it thinks of it. */
async function judging({ key, certChainPem, bundlePem }: Svid) {
  const dir = await mkdtemp(join(tmpdir(), 'signet-judging-'));
  const [cert, own, ca] = ['cert.pem', 'key.pem', 'ca.pem'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(cert, certChainPem);
  await writeFile(own, key.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(ca, bundlePem);
  const port = await freePort();
  const says = ['-accept', `127.0.0.1:${port}`, '-tls1_3', '-alpn', 'h2,http/1.1'];
  const shows = ['-cert', cert, '-cert_chain', cert, '-key', own];
  const asks = ['-CAfile', ca, '-Verify', '3', '-verify_return_error'];
  const server = spawn('openssl', ['s_server', ...says, ...shows, ...asks], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let heard = '';
  server.stdout.on('data', (piece) => {
    heard += piece;
  });
  await until(
    () => heard.includes('ACCEPT'),
    () => heard,
  );
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.kill();
      await once(server, 'exit');
      await rm(dir, { recursive: true });
    },
  };
}

describe('outbound: a server that refuses our certificate after the handshake', () => {
  it('is told as that in HTTP/1.1, in HTTP/2 and to a WebSocket', async () => {
    await using p = await pair();
    const foreign = await credentialsFor(await authority(), WEB);
    foreign.publish({ ...foreign.current!, bundlePem: p.ca.root.pem });
    await using server = await judging(p.orders.current!);
    await using q = await pair({
      outbound: { credentials: foreign, upstreams: [upstream('orders', [server.port])] },
    });
    using app = await dialPlain(q.outbound.address);
    app.send('GET /a HTTP/1.1\r\nHost: orders\r\n\r\n');
    const told = problemIn(await app.hears('"cause"'));
    const session = await openPlain(q.outbound.address);
    const answer = await ask(session, { ':path': '/a' });
    const websocket = await answerTo(
      session.request(
        {
          ':method': 'CONNECT',
          ':protocol': 'websocket',
          ':path': '/a',
          ':authority': 'orders',
          'sec-websocket-version': '13',
        },
        { endStream: false },
      ),
    );
    session.destroy();
    for (const problem of [told, JSON.parse(answer.body), JSON.parse(websocket.body)])
      assert.deepEqual([problem.status, problem.code], [502, 'upstream_refused_identity']);
  });
});
