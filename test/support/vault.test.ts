import assert from 'node:assert/strict';
import { startVault } from './vault.ts';

describe('the test Vault', () => {
  for (const tls of [false, true]) {
    it(`serves as root over ${tls ? 'HTTPS' : 'HTTP'} and is gone once stopped`, async () => {
      const vault = await startVault({ tls });
      const self = await vault.request('GET', 'auth/token/lookup-self');
      assert.deepEqual(self.body.data.policies, ['root']);
      assert.equal((await vault.request('GET', 'sys/mounts', undefined, { token: '' })).status, 403);
      await vault.stop();
      await assert.rejects(vault.request('GET', 'sys/health'), { code: 'ECONNREFUSED' });
      assert.throws(() => process.kill(vault.pid, 0), { code: 'ESRCH' });
    });
  }

  it('keeps its data on raft when it is killed, restarted, sealed and unsealed', async () => {
    await using vault = await startVault({ storage: 'raft' });
    await vault.request('POST', 'sys/mounts/kv', { type: 'kv' });
    await vault.request('POST', 'kv/a', { held: 'yes' });
    await vault.kill();
    await vault.restart();
    assert.equal((await vault.request('GET', 'kv/a')).body.data.held, 'yes');
    await vault.seal();
    assert.equal((await vault.request('GET', 'kv/a')).status, 503);
    await vault.unseal();
    assert.equal((await vault.request('GET', 'kv/a')).body.data.held, 'yes');
  });

  it('shows its output when it cannot start', async () => {
    await using vault = await startVault();
    const port = Number(new URL(vault.address).port);
    await assert.rejects(startVault({ port }), /address already in use/);
  });
});
