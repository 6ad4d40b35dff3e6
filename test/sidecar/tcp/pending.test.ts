import assert from 'node:assert/strict';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { PendingUsers } from '../inbound/pending-users.ts';
import { until } from '../sockets.ts';
import { type RawPair, type RawPairOptions, rawPair } from './world.ts';

async function waiting(options: RawPairOptions = {}): Promise<RawPair & { readonly users: PendingUsers }> {
  const users = new PendingUsers();
  return { ...(await rawPair({ ...options, screens: { ...NO_SCREENS, users } })), users };
}

describe('tcp: a judgement that waits', () => {
  it('holds the connection back, and loses nothing that was said on it', async () => {
    await using p = await waiting({
      answer: ({ socket, received }) => void socket.write(`${received.length} `),
    });
    using client = await p.dial();
    client.send('hello');
    await until(() => p.users.asked.has(p.path));
    assert.deepEqual([p.app.connections.length, p.audit.events.length], [0, 0]);
    p.users.allow(p.path);
    await client.hears('5 ');
    assert.equal(p.app.received, 'hello');
    assert.equal(p.users.asked.get(p.path), 2);
  });

  it('then refuses by a reset', async () => {
    await using p = await waiting();
    using client = await p.dial();
    client.send('hello');
    await until(() => p.users.asked.has(p.path));
    p.users.refuse(p.path);
    await client.ends();
    assert.equal(p.app.connections.length, 0);
    assert.deepEqual(
      p.audit.events.map(({ type }) => type),
      ['refused'],
    );
  });

  for (const endless of [false, true]) {
    it(`has its time${endless ? ', however often it waits' : ''}`, async () => {
      await using p = await waiting({ limits: { responseMs: 300 } });
      p.users.endless = endless;
      using client = await p.dial();
      client.send('hello');
      await client.ends();
      p.users.allow(p.path);
      assert.equal(p.app.connections.length, 0);
    });
  }

  it('is cut when a drain is over', async () => {
    await using p = await waiting();
    using client = await p.dial();
    client.send('hello');
    await until(() => p.users.asked.has(p.path));
    assert.equal(await p.inbound.close({ deadlineMs: 50 }), 1);
    await client.ends();
    p.users.allow(p.path);
    assert.equal(p.app.connections.length, 0);
  });
});
