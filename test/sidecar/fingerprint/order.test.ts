import assert from 'node:assert/strict';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import type { User } from '../../../lib/policy/index.ts';
import { createProofs } from '../../../sidecar/fingerprint/index.ts';
import type { Users } from '../../../sidecar/inbound/screens.ts';
import { NO_SCREENS } from '../../../sidecar/inbound/screens.ts';
import { Pending, Refused } from '../../../sidecar/relay/index.ts';
import { ask, openPlain } from '../http2/world.ts';
import { dialPlain } from '../sockets.ts';
import { channelLine, digestOf, proofLine, provingCaller } from './caller.ts';
import { provenPair } from './world.ts';

/** Knows the user of a request only when it is asked again; nobody's for `/refused`. */
function slowUsers(): Users & { asked: number } {
  const users = {
    asked: 0,
    identify(head: Parameters<Users['identify']>[0]): User | null | Refused | Pending {
      if (head.target.path === '/refused')
        return new Refused({ status: 401, code: 'no_user', detail: 'no user' });
      return ++users.asked % 2 === 1 ? new Pending(new Promise((resolve) => setImmediate(resolve))) : null;
    },
  };
  return users;
}

function slowPair(users: Users) {
  const proofs = createProofs({ required: 'channel', skew: createMetrics().gauge('skew', 'skew') });
  return provenPair({ inbound: { screens: { ...NO_SCREENS, users, proofs } } });
}

describe('a request that has to be shown twice', () => {
  it('is proven once, by either protocol, with its body', async () => {
    const users = slowUsers();
    await using w = await slowPair(users);
    using client = await dialPlain(w.outbound.address);
    const session = await openPlain(w.outbound.address);
    try {
      for (let i = 0; i < 3; i++) {
        client.received = '';
        client.send('POST /a HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhello');
        assert.match(await client.hears(/\r\n\r\n(?:ok|.*"code")/), /^HTTP\/1\.1 200 /);
        const post = { ':path': '/a', ':method': 'POST', 'content-length': 5 };
        assert.equal((await ask(session, post, 'hello')).status, 200);
      }
      assert.equal(users.asked, 12);
    } finally {
      session.destroy();
    }
  });

  it('that is refused for another reason first does not spend its proof, nor lose what was said of the connection', async () => {
    await using w = await slowPair(slowUsers());
    using caller = await provingCaller(w.inbound.address, w.web);
    const token = caller.proof({ method: 'POST', body: digestOf('hello') });
    const lines = [proofLine(token), channelLine(caller.assertion), 'Content-Length: 5'];
    assert.equal(await caller.ask('POST /refused', lines, 'hello'), '401 no_user');
    assert.equal(await caller.ask('POST /a', lines, 'hello'), '200');
    assert.equal(await caller.ask('POST /a', lines, 'hello'), '401 proof_replayed');
  });
});
