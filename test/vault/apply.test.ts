import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { SignetError } from '../../lib/errors.ts';
import { Secret } from '../../lib/secret.ts';
import { readCertificate } from '../../lib/svid/index.ts';
import {
  applyLayout,
  type Change,
  examineVault,
  parseLayout,
  planLayout,
  readActual,
  type VaultPort,
} from '../../lib/vault-layout/index.ts';
import { startVault } from '../support/vault.ts';
import { DOCUMENT, expectOk, type Lab, leafIn, ORDERS_ALIAS, ORDERS_ROLE, openLab } from './lab.ts';

const ENGINES = ['signet-pki-root', 'signet-pki', 'signet', 'signet-transit'];

describe('apply, on a real Vault', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
  });
  after(() => lab[Symbol.asyncDispose]());

  const issuers = async (mount: string): Promise<string[]> => {
    const { body } = await lab.vault.request('GET', `${mount}/issuers?list=true`);
    return body.data?.keys ?? [];
  };
  const wipe = async () => {
    await expectOk(lab.vault.request('DELETE', `auth/token/roles/${ORDERS_ROLE}`));
    for (const engine of ENGINES) await expectOk(lab.vault.request('DELETE', `sys/mounts/${engine}`));
    await expectOk(lab.vault.request('DELETE', 'sys/auth/signet-approle'));
    const { body } = await lab.vault.request('GET', 'sys/policies/acl?list=true');
    for (const name of body.data.keys as string[]) {
      if (name.startsWith('signet-')) await expectOk(lab.vault.request('DELETE', `sys/policies/acl/${name}`));
    }
  };

  it('changes nothing the second time', async () => {
    assert.deepEqual((await lab.apply()).changes, []);
  });

  it('tells each change before it makes it, and plan tells the same and makes none', async () => {
    await wipe();
    const planned = planLayout(await readActual(lab.port, lab.layout), lab.layout);
    assert.deepEqual(
      planned.map((change) => change.summary),
      planLayout(await readActual(lab.port, lab.layout), lab.layout).map((change) => change.summary),
    );
    const told: string[] = [];
    const writes: number[] = [];
    let calls = 0;
    const counting: VaultPort = {
      request(method, path, body) {
        if (method === 'POST') calls++;
        return lab.port.request(method, path, body);
      },
    };
    const onChange = ({ summary }: Change) => {
      told.push(summary);
      writes.push(calls);
    };
    const { changes } = await applyLayout(counting, lab.layout, { onChange });
    assert.deepEqual(
      told,
      planned.map(({ summary }) => summary),
    );
    assert.deepEqual(
      changes.map(({ summary }) => summary),
      told,
    );
    assert.equal(writes[0], 0, 'told before made');
    assert.ok(
      writes.every((count, i) => i === 0 || count > writes[i - 1]!),
      'each was made before the next was told',
    );
    assert.deepEqual((await lab.examine()).findings, []);
  });

  it('makes CAs that are of the trust domain, on P-256, the issuing one of path length 0', async () => {
    const of = async (path: string) => {
      const { body } = await lab.vault.request('GET', path);
      return readCertificate(new X509Certificate(body.data.certificate).raw);
    };
    const root = await of('signet-pki-root/issuer/default');
    const issuing = await of('signet-pki/issuer/default');
    for (const ca of [root, issuing]) {
      assert.deepEqual(ca.uriSans, ['spiffe://example.org']);
      assert.deepEqual(ca.sans.length, 1);
      assert.deepEqual(ca.keyUsage, ['keyCertSign', 'cRLSign']);
      assert.equal(ca.isCa, true);
    }
    assert.equal(root.pathLength, 1);
    assert.equal(issuing.pathLength, 0);
    assert.deepEqual(issuing.issuerDer, root.subjectDer);
    assert.ok(root.notAfter > issuing.notAfter);
  });

  it('adds a tenant and a lifetime, and takes them away again, leaving the CAs as they are', async () => {
    const before = [...(await issuers('signet-pki')), ...(await issuers('signet-pki-root'))];
    const more = parseLayout({
      ...DOCUMENT,
      svid_ttls: ['15m', '1h', '20s'],
      tenants: [...DOCUMENT.tenants, { name: 'third', id_prefixes: ['ns/third/'] }],
    });
    const added = (await lab.apply(more)).changes.map(({ kind, summary }) => `${kind} ${summary}`);
    assert.ok(added.includes('create sys/policies/acl/signet-registrar-third'));
    assert.ok(added.includes('create sys/policies/acl/signet-workload-20s'));
    assert.ok(added.includes('change signet-pki/roles/workload: ttl 900 -> 20'));
    const removed = (await lab.apply()).changes
      .filter(({ kind }) => kind === 'remove')
      .map(({ summary }) => summary.split(':')[0]);
    assert.deepEqual(removed, [
      'sys/policies/acl/signet-registrar-third',
      'sys/policies/acl/signet-workload-20s',
    ]);
    assert.deepEqual([...(await issuers('signet-pki')), ...(await issuers('signet-pki-root'))], before);
    assert.deepEqual((await lab.apply()).changes, []);
  });

  it('can be run again by signet-admin, who is not root', async () => {
    using client = createVault({ address: lab.vault.address });
    const port = withToken(client, new Secret(await lab.tokenOf('signet-admin')));
    const more = parseLayout({
      ...DOCUMENT,
      tenants: [...DOCUMENT.tenants, { name: 'third', id_prefixes: ['ns/third/'] }],
    });
    assert.ok((await applyLayout(port, more)).changes.length > 0);
    assert.ok((await applyLayout(port, lab.layout)).changes.length > 0);
    assert.deepEqual((await lab.apply()).changes, []);
  });

  it('puts addresses into certificates when there is a public one', async () => {
    const publicUrl = parseLayout({ ...DOCUMENT, public_url: 'https://vault.example.org' });
    await lab.apply(publicUrl);
    await lab.register();
    const signed = await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS));
    leafIn(signed);
    const text = new X509Certificate(signed.body.data.certificate).infoAccess;
    assert.match(text ?? '', /https:\/\/vault\.example\.org\/v1\/signet-pki\/issuer\/[0-9a-f-]+\/der/);
    assert.deepEqual((await lab.apply(publicUrl)).changes, []);
    await lab.apply();
    const plain = await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS));
    assert.equal(new X509Certificate(plain.body.data.certificate).infoAccess, undefined);
  });

  it('refuses, before it changes anything, a Vault where something else stands in its place', async () => {
    await wipe();
    await expectOk(lab.vault.request('POST', 'sys/mounts/signet', { type: 'kv', options: { version: '1' } }));
    await assert.rejects(
      lab.apply(),
      (error) =>
        error instanceof SignetError &&
        error.code === 'LAYOUT_CONFLICT' &&
        /sys\/mounts\/signet/.test(error.message),
    );
    const { body } = await lab.vault.request('GET', 'sys/mounts');
    assert.ok(!('signet-pki/' in body.data));
    await expectOk(lab.vault.request('DELETE', 'sys/mounts/signet'));
    await lab.apply();
  });

  it('is taken up by the next run, wherever it was cut off: one root, one issuing CA, nothing left over', async function () {
    this.timeout(60_000);
    let writes = 0;
    const limited = (limit: number): VaultPort => {
      writes = 0;
      return {
        request(method, path, body) {
          if (method === 'POST' && writes++ === limit) throw new SignetError('CUT_OFF', 'the power went');
          return lab.port.request(method, path, body);
        },
      };
    };
    await wipe();
    await applyLayout(limited(Number.POSITIVE_INFINITY), lab.layout);
    const all = writes;
    assert.ok(all > 30, `${all} writes`);
    for (let limit = 0; limit < all; limit++) {
      await wipe();
      await assert.rejects(applyLayout(limited(limit), lab.layout), { code: 'CUT_OFF' });
      await lab.apply();
      assert.deepEqual((await lab.apply()).changes, [], `after ${limit} writes`);
      assert.equal((await issuers('signet-pki-root')).length, 1);
      assert.equal((await issuers('signet-pki')).length, 2, 'the issuing CA and the root above it');
      const { body } = await lab.vault.request('GET', 'signet-pki/keys?list=true');
      assert.equal(body.data.keys.length, 1);
    }
    assert.deepEqual((await lab.examine()).findings, []);
  });

  it('holds on raft storage and over TLS, and after a restart', async () => {
    await using vault = await startVault({ storage: 'raft', tls: true });
    using client = createVault({ address: vault.address, caCert: vault.caCert ?? '' });
    const port = withToken(client, new Secret(vault.rootToken));
    await applyLayout(port, lab.layout);
    await vault.restart();
    assert.deepEqual((await applyLayout(port, lab.layout)).changes, []);
    const { findings } = await examineVault(port, lab.layout, { now: new Date(), nodeVersion: '26.13.1' });
    assert.deepEqual(findings, []);
  });
});
