import assert from 'node:assert/strict';
import { type World, type WorldOptions, world } from '../inbound/world.ts';
import { pair } from '../outbound/world.ts';
import { dialPlain, type RawClient, until } from '../sockets.ts';
import { authority, credentialsFor, WEB } from '../support.ts';
import { asking, echoing } from './handshake.ts';

/** Masked with zeros, so that its echo reads as it was sent. */
const frame = (text: string) => `\x81${String.fromCharCode(0x80 + text.length)}\0\0\0\0${text}`;
const CLOSE = (code: number) => `\x88\x02${String.fromCharCode(code >> 8, code & 0xff)}`;

async function opened(options: WorldOptions = {}): Promise<{ w: World; client: RawClient }> {
  const w = await world({ answer: echoing(), ...options });
  const client = await w.dial();
  client.send(asking());
  await client.hears('\r\n\r\n');
  client.send(frame('hello'));
  await client.hears((text) => text.endsWith(frame('hello')));
  return { w, client };
}

/** What the client heard after the echo. */
const rest = async (client: RawClient) => (await client.ends()).split(frame('hello'))[1];
const reasons = (w: World) => w.audit.events.filter(({ type }) => type === 'end').map((end) => end['reason']);

/** The close frame at the end of what the app received, unmasked. */
function closeAtApp({ app }: World): number {
  const last = Buffer.from(app.received.slice(-8), 'latin1');
  assert.deepEqual([last[0], last[1]], [0x88, 0x82]);
  return ((last[6]! ^ last[2]!) << 8) | (last[7]! ^ last[3]!);
}

describe('websocket: its life', () => {
  it('ends each direction by itself', async () => {
    const { w, client } = await opened();
    await using _ = w;
    const app = w.app.connections[0]!;
    app.socket.removeAllListeners('end');
    client.socket.end();
    await until(() => !app.socket.readable);
    app.socket.end('late', 'latin1');
    assert.equal(await rest(client), 'late');
    await until(() => reasons(w).length === 1);
    assert.deepEqual(reasons(w), ['ended']);
  });

  it('goes on while it drains, and is then told 1001 on both sides', async () => {
    const { w, client } = await opened();
    await using _ = w;
    const began = Date.now();
    const closed = w.inbound.close({ deadlineMs: 2_000 });
    client.send(frame('still'));
    await client.hears((text) => text.endsWith(frame('still')));
    assert.equal((await client.ends()).endsWith(frame('still') + CLOSE(1001)), true);
    assert.equal(closeAtApp(w), 1001);
    assert.equal(await closed, 0);
    assert.ok(Date.now() - began > 800);
    assert.deepEqual(reasons(w), ['drained']);
  });

  it('that is in the middle of a frame is cut when the drain ends', async () => {
    const { w, client } = await opened();
    await using _ = w;
    client.send('\x81\x85\0\0');
    await client.hears((text) => text.endsWith('\x81\x85\0\0'));
    await w.inbound.close({ deadlineMs: 500 });
    assert.equal(await rest(client), '\x81\x85\0\0');
    assert.equal(w.app.received.endsWith('\x81\x85\0\0'), true);
  });

  it('is not told goodbye twice', async () => {
    const { w, client } = await opened();
    await using _ = w;
    client.send('\x88\x80\0\0\0\0');
    await client.hears((text) => text.endsWith('\x88\x80\0\0\0\0'));
    await w.inbound.close({ deadlineMs: 500 });
    assert.equal(await rest(client), '\x88\x80\0\0\0\0');
  });

  it('ends when nothing moves for too long', async () => {
    const { w, client } = await opened({ limits: { spliceIdleMs: 300 } });
    await using _ = w;
    assert.equal(await rest(client), CLOSE(1001));
    await until(() => reasons(w).length === 1);
    assert.deepEqual(reasons(w), ['idle']);
  });

  it('outlives the time-outs of requests', async () => {
    const { w, client } = await opened({
      limits: { idleMs: 200, headMs: 200, responseMs: 200, stallMs: 200, wholeMs: 200 },
    });
    await using _ = w;
    await new Promise((resolve) => setTimeout(resolve, 800));
    client.send(frame('later'));
    await client.hears(frame('later'));
  });

  it('is cut when its peer is denied: not a byte passes from then on', async () => {
    let reason: string | null = null;
    const { w, client } = await opened({ denied: () => reason });
    await using _ = w;
    reason = 'id';
    assert.equal(w.inbound.recheck(), 1);
    client.send(frame('more'));
    assert.equal(await rest(client), CLOSE(1008));
    assert.equal(w.app.received.includes('more'), false);
    assert.equal(closeAtApp(w), 1008);
    await until(() => reasons(w).length === 1);
    assert.deepEqual(reasons(w), ['cut']);
  });

  it('is cut for good though its peer does not let go', async () => {
    let reason: string | null = null;
    const { w, client } = await opened({ denied: () => reason });
    await using _ = w;
    client.socket.removeAllListeners('end');
    reason = 'id';
    w.inbound.recheck();
    await until(() => w.inbound.connections === 0);
  });

  it('is cut when the certificate it was made with expires', async () => {
    const ca = await authority();
    const web = await credentialsFor(ca, WEB, { notAfter: new Date(Date.now() + 3_000) });
    await using p = await pair({ inbound: { ca, answer: echoing() }, outbound: { credentials: web } });
    using client = await dialPlain(p.outbound.address);
    client.send(asking());
    await client.hears('\r\n\r\n');
    assert.equal((await client.ends()).endsWith(CLOSE(1008)), true);
  });

  for (const who of ['client', 'app'] as const) {
    it(`is broken on one side when the ${who} breaks off on the other`, async () => {
      const { w, client } = await opened();
      await using _ = w;
      const app = w.app.connections[0]!.socket;
      if (who === 'client') client.socket.destroy();
      else app.resetAndDestroy();
      await until(() => client.closed && app.destroyed);
      await until(() => w.inbound.connections === 0);
    });
  }
});
