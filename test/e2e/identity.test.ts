import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { createWorld, type World } from './world.ts';

describe('identity, on a real Vault', function () {
  this.timeout(60_000);
  let world: World;
  before(async () => {
    world = await createWorld();
  });
  after(() => world[Symbol.asyncDispose]());

  it('has its first SVID within a second of its start', async () => {
    const orders = await world.register('orders');
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const sidecar = await world.sidecar(orders);
      const svid = await sidecar.waitForEvent('svid');
      assert.equal(svid['spiffe_id'], orders.id);
      times.push(Number(svid['ms_since_start']));
      await sidecar.stop();
    }
    console.log(`      first SVID after ${times.join(', ')} ms`);
    assert.ok(Number(times.sort((a, b) => a - b)[2]) < 1_000, 'in the middle of five');
  });

  it('is given to a host with a certificate of the host CA', async () => {
    const ca = join(world.dir, 'host_ca');
    keygen('-t', 'ed25519', '-N', '', '-f', ca);
    const fleet = await world.register('fleet', {
      match: { 'ssh-host:ca': fingerprint(`${ca}.pub`), 'ssh-host:principal': 'host1.example.org' },
    });
    await rm(fleet.hostKey);
    keygen('-t', 'ecdsa', '-N', '', '-f', fleet.hostKey);
    keygen('-s', ca, '-h', '-I', 'host1', '-n', 'host1.example.org', `${fleet.hostKey}.pub`);
    const sidecar = await world.sidecar(fleet);
    assert.equal((await sidecar.waitForEvent('svid'))['spiffe_id'], fleet.id);
    await sidecar.stop();
  });

  it('is had from a Vault that speaks TLS, by the authorities it is given alone', async () => {
    await using secure = await createWorld({ tls: true });
    const orders = await secure.register('orders');
    const sidecar = await secure.sidecar(orders);
    assert.equal((await sidecar.waitForEvent('svid'))['spiffe_id'], orders.id);
    const trusting = await secure.sidecar(orders, { VAULT_CACERT: '' });
    const failed = await trusting.waitForEvent('renewal_failed');
    assert.equal(failed['code'], 'VAULT_UNREACHABLE');
    assert.match(JSON.stringify(failed['cause']), /SELF_SIGNED|UNABLE_TO_VERIFY/);
  });
});

function keygen(...args: readonly string[]): string {
  return execFileSync('ssh-keygen', ['-q', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

function fingerprint(file: string): string {
  return keygen('-l', '-f', file).split(' ')[1]!;
}
