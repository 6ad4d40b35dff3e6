import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, describe, it } from 'mocha';
import { readCrl, SvidError, verifySigned } from '../../../lib/svid/index.ts';
import type { TestCa } from '../../support/ca.ts';
import { inside, seededRandom, tlv } from '../../support/der.ts';
import { createDeviceCa, makeCrl } from '../../support/device-ca.ts';

const codeOf = (der: Uint8Array) => {
  try {
    readCrl(der);
  } catch (error) {
    if (error instanceof SvidError) return error.code;
    throw error;
  }
  return 'read';
};

describe('a certificate revocation list', () => {
  let ca: TestCa;
  before(async () => {
    ca = await createDeviceCa('acme');
  });

  it('tells its serial numbers, its times and whose it is', async () => {
    const [thisUpdate, nextUpdate] = [new Date('2026-01-02T03:04:05Z'), new Date('2026-01-03T03:04:05Z')];
    const crl = readCrl(await makeCrl(ca, { serials: ['0a01', '7f'], thisUpdate, nextUpdate }));
    assert.deepEqual([...crl.revoked], ['0a01', '7f']);
    assert.deepEqual([crl.thisUpdate, crl.nextUpdate], [thisUpdate, nextUpdate]);
  });
  it('verifies by the key that signed it, and by no other', async () => {
    const crl = readCrl(await makeCrl(ca));
    const other = await createDeviceCa('acme');
    assert.ok(verifySigned(crl, createPublicKey(ca.privateKey)));
    assert.ok(!verifySigned(crl, createPublicKey(other.privateKey)));
  });
  it('may be empty, and may promise no next one', async () => {
    const crl = readCrl(await makeCrl(ca, { nextUpdate: null }));
    assert.deepEqual([crl.revoked.size, crl.nextUpdate], [0, null]);
  });
  it('is read as OpenSSL writes it', () => {
    const dir = mkdtempSync(join(tmpdir(), 'signet-crl-'));
    try {
      const file = (name: string, text: string) => writeFileSync(join(dir, name), text);
      file('ca.pem', ca.pem);
      file('ca.key', ca.privateKeyPem);
      file('index', 'R\t400101000000Z\t260101000000Z,keyCompromise\t1F2E\tunknown\t/CN=cam-1\n');
      file('number', '01\n');
      file(
        'conf',
        '[ca]\ndefault_ca=x\n[x]\ndatabase=index\ncrlnumber=number\ncertificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\ndefault_crl_days=1\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n',
      );
      execFileSync('openssl', ['ca', '-gencrl', '-config', 'conf', '-out', 'crl.pem'], {
        cwd: dir,
        stdio: 'pipe',
      });
      const der = execFileSync('openssl', ['crl', '-in', 'crl.pem', '-outform', 'DER'], { cwd: dir });
      assert.deepEqual([...readCrl(der).revoked], ['1f2e']);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
  it('of thousands of entries is read', async () => {
    const serials = Array.from({ length: 5_000 }, (_, i) => (0x1000000 + i).toString(16).padStart(8, '0'));
    const crl = readCrl(await makeCrl(ca, { serials }));
    assert.equal(crl.revoked.size, 5_000);
    // minimal: the leading zero octet of an integer is no part of it
    assert.ok(crl.revoked.has('01000007'));
  });
  it('that is a delta, or for some certificates only, is refused', async () => {
    for (const oid of ['2.5.29.27', '2.5.29.28']) {
      const der = await makeCrl(ca, { critical: oid });
      assert.equal(codeOf(der), 'SVID_MALFORMED');
    }
  });
  it('of another version, or of two algorithms, is refused', async () => {
    const [tbs, algorithm, signature] = inside(Buffer.from(await makeCrl(ca)));
    const fields = inside(tbs!);
    const whole = (edited: readonly Buffer[]) => tlv(0x30, tlv(0x30, ...edited), algorithm!, signature!);
    assert.equal(codeOf(whole(fields)), 'read');
    assert.equal(codeOf(whole(fields.slice(1))), 'SVID_MALFORMED');
    assert.equal(codeOf(whole(fields.with(0, tlv(2, Buffer.of(2))))), 'SVID_MALFORMED');
    const other = tlv(0x30, tlv(6, Buffer.from('2a8648ce3d040303', 'hex')));
    assert.equal(codeOf(whole(fields.with(1, other))), 'SVID_MALFORMED');
    assert.equal(codeOf(whole([...fields, tlv(0x31)])), 'SVID_MALFORMED');
  });
  it('is read or refused, whatever its bytes are', async () => {
    const whole = Buffer.from(await makeCrl(ca, { serials: ['01', '02ff'] }));
    const random = seededRandom(11);
    const seen = { read: 0, SVID_MALFORMED: 0 } as Record<string, number>;
    for (let i = 0; i < 20_000; i++) {
      const bytes = Buffer.from(whole);
      for (let n = 0; n <= i % 3; n++)
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const cut = i % 5 === 0 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
      seen[codeOf(cut)]!++;
    }
    assert.ok(seen['read']! > 1_000 && seen['SVID_MALFORMED']! > 1_000, JSON.stringify(seen));
  });
});
