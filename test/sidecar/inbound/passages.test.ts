import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { type CompiledPolicy, compilePolicies, parsePolicies } from '../../../lib/policy/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { createDecider } from '../../../sidecar/decide.ts';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { openSession } from '../http2/world.ts';
import { until } from '../sockets.ts';
import { clock, FakeAudit, ORDERS } from '../support.ts';
import { asking, echoing } from '../websocket/handshake.ts';
import { type World, world } from './world.ts';

const CLOSE = '\x88\x02\x03\xf0';

function policyOf(...documents: object[]): CompiledPolicy {
  const full = documents.map((each, i) => ({
    ...{ name: `rule-${i}`, level: 'application', mode: 'enforce', effect: 'allow', target: ORDERS, ...each },
  }));
  return compilePolicies(
    parsePolicies([{ file: 'test', text: JSON.stringify(full) }]),
    parseSpiffeId(ORDERS),
  );
}
const chat = policyOf({ when: { path: { is: '/chat' } } });
const chatAndMore = policyOf({ when: { path: { in: ['/chat', '/more'] } } });
const news = policyOf({ when: { path: { is: '/news' } } });

describe('what is spliced, when the policies change', () => {
  const state = { current: chat as CompiledPolicy | null };
  let audit: FakeAudit;
  let w: World;
  let judge: ReturnType<typeof createDecider>;
  beforeEach(async () => {
    state.current = chat;
    audit = new FakeAudit();
    judge = createDecider({ policy: state, audit, clock, metrics: createMetrics() });
    w = await world({ answer: echoing(), decider: judge });
  });
  afterEach(async () => {
    judge[Symbol.dispose]();
    await w[Symbol.asyncDispose]();
  });
  const decisions = () =>
    audit.events.filter(({ type }) => type === 'decision').map((each) => [each['path'], each['effect']]);
  const opened = async () => {
    const client = await w.dial();
    client.send(asking());
    await client.hears('\r\n\r\n');
    client.send('\x81\x80\0\0\0\0');
    await client.hears((text) => text.endsWith('\x81\x80\0\0\0\0'));
    return client;
  };

  it('stays where it would pass again, which is recorded; it is judged once for each change', async () => {
    const client = await opened();
    state.current = chatAndMore;
    assert.deepEqual([w.inbound.recheck(), w.inbound.recheck()], [0, 0]);
    client.send('\x81\x80\0\0\0\0');
    await client.hears((text) => text.endsWith('\x81\x80\0\0\0\0'.repeat(2)));
    assert.deepEqual(decisions(), [
      ['/chat', 'allow'],
      ['/chat', 'allow'],
    ]);
  });

  it('is judged by how unusual it is by then, not by how unusual it was', async () => {
    await w[Symbol.asyncDispose]();
    let score = 0;
    const risks = { assess: () => ({ score, reasons: [] }) };
    w = await world({ answer: echoing(), decider: judge, screens: { ...NO_SCREENS, risks } });
    const usual = (most: number) =>
      policyOf({ when: { all: [{ path: { is: '/chat' } }, { risk: { below: most } }] } });
    const client = await opened();
    state.current = usual(50);
    assert.equal(w.inbound.recheck(), 0);
    score = 90;
    state.current = usual(60);
    assert.equal(w.inbound.recheck(), 1);
    assert.ok((await client.ends()).endsWith(CLOSE));
  });

  it('is told 1008 and cut where it would not, without being asked, and both are recorded', async () => {
    const client = await opened();
    state.current = news;
    assert.ok((await client.ends()).endsWith(CLOSE));
    await until(() => audit.events.some(({ type }) => type === 'end'));
    assert.deepEqual(decisions(), [
      ['/chat', 'allow'],
      ['/chat', 'deny'],
    ]);
    assert.equal(audit.events.find(({ type }) => type === 'end')?.['reason'], 'cut');
  });

  it('is judged when it can be again, if it cannot now: neither cut nor forgotten', async () => {
    const client = await opened();
    state.current = null;
    assert.equal(w.inbound.recheck(), 0);
    state.current = news;
    audit.accepting = false;
    assert.equal(w.inbound.recheck(), 0);
    audit.accepting = true;
    assert.equal(w.inbound.recheck(), 1);
    assert.ok((await client.ends()).endsWith(CLOSE));
  });

  it('of several streams of a connection only those are cut that would not pass', async () => {
    state.current = chatAndMore;
    const session = await openSession(w.inbound.address, w.web);
    const open = async (path: string): Promise<ClientHttp2Stream> => {
      const stream = session.request(
        {
          ':method': 'CONNECT',
          ':protocol': 'websocket',
          ':path': path,
          ':authority': 'orders',
          'sec-websocket-version': '13',
        },
        { endStream: false },
      );
      stream.on('error', () => {});
      await once(stream, 'response');
      return stream;
    };
    const [kept, cut] = [await open('/chat'), await open('/more')];
    let heard = '';
    cut.on('data', (piece: Buffer) => {
      heard += piece.toString('latin1');
    });
    state.current = chat;
    assert.equal(w.inbound.recheck(), 1);
    await until(() => heard === CLOSE);
    kept.write('\x81\x80\0\0\0\0', 'latin1');
    assert.equal(String(await once(kept, 'data')), String(Buffer.from('\x81\x80\0\0\0\0', 'latin1')));
    session.destroy();
  });
});
