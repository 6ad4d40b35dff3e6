import assert from 'node:assert/strict';
import { warmUp } from '../../sidecar/warm-up.ts';
import { authority, credentialsFor, ORDERS } from './support.ts';

describe('warm-up', () => {
  it('runs its requests through both proxies, and leaves nothing open', async () => {
    const credentials = await credentialsFor(await authority(), ORDERS);
    const sockets = () => process.getActiveResourcesInfo().filter((what) => /TCP|TLS/.test(what)).length;
    const before = sockets();
    assert.equal(await warmUp(credentials.current!, { requests: 60, deadlineMs: 10_000 }), 60);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(sockets(), before);
  });

  for (const sends of ['channel', 'signed'] as const)
    it(`proves its requests (${sends})`, async () => {
      const credentials = await credentialsFor(await authority(), ORDERS);
      const fingerprint = { sends, requires: 'signed', ttlSeconds: 10 } as const;
      assert.equal(await warmUp(credentials.current!, { requests: 60, deadlineMs: 10_000, fingerprint }), 60);
    });

  it('begins no request after its deadline', async () => {
    const credentials = await credentialsFor(await authority(), ORDERS);
    assert.ok((await warmUp(credentials.current!, { requests: 1_000_000, deadlineMs: 50 })) < 1_000_000);
  });
});
