import 'reflect-metadata';
import assert from 'node:assert/strict';
import type { webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { terraformPrograms } from '../../setup/terraform.mjs';
import { createCa } from '../support/ca.ts';
import { startVault, type TestVault } from '../support/vault.ts';
import { applyModule, examineBy, NOTHING, openWorkspace, type Workspace } from './workspace.ts';

const INPUTS = { trust_domain: 'example.org', root: 'external', audit_file: '/dev/null' };

describe('the module vault with a root that is kept elsewhere', function () {
  this.timeout(120_000);
  let vault: TestVault;
  let workspace: Workspace;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    vault = await startVault();
    workspace = await openWorkspace(vault);
  });
  after(async () => {
    await workspace?.[Symbol.asyncDispose]();
    await vault?.stop();
  });

  it('puts out a request first, and no chain: doctor misses the issuing CA and nothing else', async () => {
    await applyModule(workspace, INPUTS);
    const { body } = await vault.request('GET', 'sys/mounts');
    assert.ok(!('signet-pki-root/' in body.data));
    assert.match(await workspace.output('csr'), /BEGIN CERTIFICATE REQUEST/);
    await assert.rejects(workspace.output('issuing_chain'), /not found/);
    const { findings, changes } = await examineBy(vault, workspace);
    assert.deepEqual([findings.map(({ id }) => id), changes], [['issuer.none'], []]);
    assert.ok(await workspace.isDone());
  });

  it('takes what was signed: doctor finds nothing, the request is the same, the plan is empty', async () => {
    const csr: string = await workspace.output('csr');
    // It ends before the policy key's certificate would: that has to be told.
    const notAfter = new Date(Date.now() + 100 * 86_400_000);
    const root = await createCa('example.org', { notAfter });
    const publicKey = await new Pkcs10CertificateRequest(csr).publicKey.export();
    const keys = { publicKey, privateKey: root.keys.privateKey } as webcrypto.CryptoKeyPair;
    const signed = await root.intermediate({ keys, pathLength: 0, subject: 'CN=issuing', notAfter });
    await applyModule(workspace, {
      ...INPUTS,
      signed_intermediate: `${signed.pem}\n${root.pem}`,
      policy_certificate_ttl: '1440h',
    });
    assert.deepEqual(await examineBy(vault, workspace), NOTHING);
    assert.equal(await workspace.output('csr'), csr);
    assert.equal((await workspace.output('root_certificate')).trim(), root.pem.trim());
    assert.ok(await workspace.isDone());
  });
});
