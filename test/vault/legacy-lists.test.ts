import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, startChild } from '../../harness/child.ts';
import { freePort } from '../../harness/port.ts';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { Secret } from '../../lib/secret.ts';
import { applyLayout, parseLayout } from '../../lib/vault-layout/index.ts';
import { vaultBinary } from '../../setup/vault.mjs';
import { vaultRequester } from '../support/vault-request.ts';
import { DOCUMENT, newCsr, ORDERS_ALIAS, ORDERS_ID, ORDERS_ROLE } from './lab.ts';

const TOKEN = 'root-of-a-test';

describe('a Vault that compares lists as a whole, as old ones do', () => {
  let child: Child;
  let address: string;
  before(async () => {
    const listen = `127.0.0.1:${await freePort()}`;
    address = `http://${listen}`;
    const flags = [
      'server',
      '-dev',
      '-dev-no-store-token',
      `-dev-root-token-id=${TOKEN}`,
      `-dev-listen-address=${listen}`,
    ];
    child = await startChild(vaultBinary(), flags, {
      env: { ...process.env, VAULT_LEGACY_EXACT_MATCHING_ON_LIST: '1' },
    });
    using vault = createVault({ address });
    for (let tries = 0; ; tries++) {
      const state = await vault.request('GET', 'sys/seal-status').catch((error: unknown) => error);
      if (!(state instanceof Error)) break;
      if (tries > 200) throw new Error(`Vault does not serve:\n${child.stdout()}${child.stderr()}`);
      await sleep(50);
    }
    await applyLayout(withToken(vault, new Secret(TOKEN)), parseLayout(DOCUMENT));
  });
  after(() => child.stop());

  it('signs a URI for a grant, and refuses the same one twice as a list', async () => {
    const request = vaultRequester(address);
    const root = { token: TOKEN };
    const role = {
      allowed_policies: 'signet-workload-15m',
      allowed_entity_aliases: ORDERS_ALIAS,
      orphan: 'true',
      token_num_uses: '1',
      token_no_default_policy: 'true',
    };
    await request('POST', `auth/token/roles/${ORDERS_ROLE}`, role, root);
    const sign = async (uris: unknown) => {
      const made = await request(
        'POST',
        `auth/token/create/${ORDERS_ROLE}`,
        { entity_alias: ORDERS_ALIAS },
        root,
      );
      const body = { csr: newCsr(), uri_sans: uris, ttl: '15m' };
      return (await request('POST', 'signet-pki/sign/workload', body, { token: made.body.auth.client_token }))
        .status;
    };
    assert.equal(await sign(ORDERS_ID), 200);
    assert.equal(await sign([ORDERS_ID, ORDERS_ID]), 403);
    assert.equal(await sign(`${ORDERS_ID},${ORDERS_ID}`), 403);
  });
});
