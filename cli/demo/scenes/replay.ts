import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type TLSSocket } from 'node:tls';
import { channelOf, EXPORTER_BYTES, EXPORTER_LABEL, ProofMaker } from '../../../lib/fingerprint/index.ts';
import { mintSvid, requestGrant } from '../../grant-steps.ts';
import { TRUST_DOMAIN } from '../layout.ts';
import type { World } from '../world.ts';
import { expect, type Shown } from './shown.ts';

const PATIENCE_MS = 10_000;
const PATH = '/orders/42';

/** Somebody who has an SVID of web and no sidecar: each request needs a proof of its own, good once. */
export async function replay(world: World): Promise<Shown<{ refused: number }>> {
  const ca = await readFile(world.rootCa, 'utf8');
  const settings = { trustDomain: TRUST_DOMAIN, url: new URL(world.brokerUrl), ca };
  const held = await requestGrant(settings, `ssh-host:${world.web.hostKey}`);
  const { chainPem, privateKey, spiffeId } = await mintSvid(settings, held, {});
  const [host = '', port = ''] = world.orders.inbound.split(':');
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  // who answers is of no interest here: nothing is told that orders does not know
  const socket = connect({ host, port: Number(port), cert: chainPem, key, rejectUnauthorized: false });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(PATIENCE_MS) });
    const exporter = socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
    const options = { mode: 'channel', ttlSeconds: 10, key: privateKey, subject: spiffeId } as const;
    const maker = new ProofMaker(channelOf(exporter), options);
    const now = new Date();
    const request = { method: 'GET', host: 'orders', path: PATH, query: null, body: null };
    const lines = [
      `workload-proof-token: ${maker.make(request, now)}`,
      `x-signet-channel: ${maker.assertion(now)}`,
    ];
    const first = await get(socket, lines);
    expect(first.startsWith('HTTP/1.1 200'), 'the request with a new proof', { first });
    const again = await get(socket, lines);
    expect(again.startsWith('HTTP/1.1 401') && again.includes('proof_replayed'), 'the replay', { again });
    const bare = await get(socket, []);
    expect(bare.includes('proof_missing'), 'a request without a proof', { bare });
  } finally {
    socket.destroy();
  }
  return {
    title: 'replay',
    facts: `GET ${PATH} by a program with an SVID of web and a proof of its own: 200; the same again: 401 proof_replayed; without a proof: 401 proof_missing`,
    found: { refused: 2 },
  };
}

/** One answer, which fits into what is read until its body has come. */
async function get(socket: TLSSocket, lines: readonly string[]): Promise<string> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  socket.write([`GET ${PATH} HTTP/1.1`, 'host: orders', ...lines, '', ''].join('\r\n'));
  let text = '';
  while (!/\r\n\r\n.*\}$/s.test(text)) {
    const [piece] = (await once(socket, 'data', { signal })) as [Buffer];
    text += piece.toString();
  }
  return text;
}
