import assert from 'node:assert/strict';
import { pemToDer } from '../../../lib/svid/index.ts';
import { createCa } from '../../support/ca.ts';
import { ID } from './leaf-check.ts';

describe('pemToDer', () => {
  it('reads every certificate of a text and passes over what lies between', async () => {
    const ca = await createCa();
    const leaf = await ca.leaf(ID);
    const read = pemToDer(`Issued by us:\r\n${leaf.pem.replaceAll('\n', '\r\n')}\nand\n${ca.pem}`);
    assert.deepEqual(
      read.map((der) => Buffer.from(der)),
      [leaf, ca].map(({ der }) => Buffer.from(der)),
    );
  });

  it('refuses a text that goes on after a certificate with something else', async () => {
    const { pem, privateKeyPem } = await createCa();
    for (const more of [privateKeyPem, begin, `${begin}\nAAAA`, ' '.repeat(1 << 20)]) {
      assert.throws(() => pemToDer(`${pem}${more}`), { name: 'SvidError', code: 'SVID_MALFORMED' });
    }
  });

  const begin = '-----BEGIN CERTIFICATE-----';
  const end = '-----END CERTIFICATE-----';
  for (const [what, text] of [
    ['nothing', ''],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'],
    ['a block without an end', `${begin}\nAAAA`],
    ['an empty block', `${begin}\n${end}`],
    ['another end', `${begin}\nAAAA\n-----END X509 CRL-----`],
    ['base64 that is not canonical', `${begin}\nAAB=\n${end}`],
    ['other letters', `${begin}\nAA-_\n${end}`],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => pemToDer(text), { name: 'SvidError', code: 'SVID_MALFORMED' });
    });
  }
});
