import assert from 'node:assert/strict';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import { ENHANCE_YOUR_CALM } from '../../support/http2-frames.ts';
import { ask, dialFrames, openPlain } from '../http2/world.ts';
import { OK, problemIn } from '../inbound/world.ts';
import { dialPlain, dialTls, until } from '../sockets.ts';
import { pair } from './world.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';

describe('outbound: too many connections', () => {
  it('tells the app of its own beyond the bound, of which one peer may have them all', async () => {
    const metrics = createMetrics();
    const limits = { connections: 3, connectionsPerPeer: 1 };
    await using p = await pair({ outbound: { metrics, limits } });
    const clients = await Promise.all([1, 2, 3].map(() => dialPlain(p.outbound.address)));
    for (const client of clients) client.send(GET);
    for (const client of clients) await client.hears(OK);
    using beyond = await dialPlain(p.outbound.address);
    beyond.send(GET);
    assert.equal(problemIn(await beyond.ends())['code'], 'too_many_connections');
    using frames = await dialFrames(p.outbound.address, null);
    await until(() => frames.closed);
    assert.equal(frames.farewell, ENHANCE_YOUR_CALM);
    assert.match(metrics.render(), /^signet_outbound_connections_refused_total\{reason="connections"\} 2$/m);
    clients[0]!.socket.destroy();
    await until(() => p.outbound.connections === 2);
    using next = await dialPlain(p.outbound.address);
    next.send(GET);
    await next.hears(OK);
    for (const { socket } of clients) socket.destroy();
  });

  it('tells the app of those that an upstream does not take, and goes on when it does', async () => {
    await using p = await pair({ inbound: { limits: { connectionsPerPeer: 1 } } });
    using other = await dialTls(p.inbound.address, p.web);
    other.send(GET);
    await other.hears(OK);
    using client = await dialPlain(p.outbound.address);
    client.send(GET);
    assert.equal(problemIn(await client.hears('}'))['code'], 'too_many_connections');
    const session = await openPlain(p.outbound.address);
    const refused = await ask(session, { ':path': '/a' });
    assert.deepEqual([refused.status, JSON.parse(refused.body).cause], [502, `goaway_${ENHANCE_YOUR_CALM}`]);
    other.socket.destroy();
    await until(() => p.inbound.connections === 0);
    assert.equal((await ask(session, { ':path': '/a' })).status, 200);
    session.destroy();
  });
});
