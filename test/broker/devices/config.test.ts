import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { loadConfig } from '../../../broker/config.ts';
import { ConfigError } from '../../../lib/adapter/settings.ts';
import { certifyDevice, createDeviceCa } from '../../support/device-ca.ts';

const base = {
  SIGNET_TRUST_DOMAIN: 'example.org',
  VAULT_ADDR: 'https://vault.example.org:8200',
  SIGNET_VAULT_ROLE_ID: 'role',
  SIGNET_VAULT_SECRET_ID_FILE: '/secret',
};

describe('SIGNET_DEVICE_CAS', () => {
  const files: Record<string, string> = { '/secret': 'x', '/broken.pem': 'x' };
  before(async () => {
    const ca = await createDeviceCa('acme');
    files['/acme.pem'] = ca.pem;
    files['/device.pem'] = (await certifyDevice(ca, 'cam-1')).pem;
    files['/key.pem'] = ca.privateKeyPem;
  });
  const read = (document: unknown) =>
    loadConfig(
      {
        ...base,
        SIGNET_DEVICE_CAS: '/devices.json',
      },
      (path) => {
        if (path === '/devices.json')
          return typeof document === 'string' ? document : JSON.stringify(document);
        if (files[path] === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' });
        return files[path];
      },
    ).devices;
  const sound = { tenants: ['acme'], certificates: '/acme.pem', revocation: 'none' };
  const of = (...manufacturers: object[]) => ({ manufacturers });

  it('tells authorities, whose they are, and where they revoke', () => {
    const crls = ['/acme.crl', 'https://crl.example/acme.crl'];
    const { revocation: _, ...plain } = sound;
    const devices = read({
      ...of({ ...plain, crls, claims: { ins: 'serialNumber' } }),
      crl_refresh_seconds: 60,
    });
    assert.equal(devices?.refreshMs, 60_000);
    const [authority, ...more] = devices?.authorities ?? [];
    assert.match(String(authority?.fingerprint), /^SHA256:[0-9a-f]{64}$/);
    assert.deepEqual(authority?.manufacturer, { tenants: ['acme'], crls, claims: { ins: 'serialNumber' } });
    assert.equal(more.length, 0);
  });
  const cases: readonly [string, unknown, RegExp][] = [
    ['text', 'x', /is not JSON/],
    ['nobody', of(), /\/manufacturers must NOT have fewer/],
    [
      'neither a list nor that there is none',
      of({ tenants: ['acme'], certificates: '/acme.pem' }),
      /\/manufacturers\/0 has neither crls nor/,
    ],
    ['both', of({ ...sound, crls: ['/x'] }), /has neither crls nor .*, or both/],
    [
      'a place that is none',
      of({ tenants: ['acme'], certificates: '/acme.pem', crls: ['ftp://x'] }),
      /\/crls\/0/,
    ],
    ['a tenant that is none', of({ ...sound, tenants: ['Acme'] }), /\/tenants\/0 is not a tenant/],
    ['a claim of a stranger', of({ ...sound, claims: { colour: 'OU' } }), /\/claims\/colour/],
    ['an attribute that is none', of({ ...sound, claims: { ins: 'mail' } }), /\/claims\/ins/],
    ['a file that is not there', of({ ...sound, certificates: '/none.pem' }), /does not exist/],
    ['a file of something else', of({ ...sound, certificates: '/broken.pem' }), /not of certificates/],
    ['a private key', of({ ...sound, certificates: '/key.pem' }), /not of certificates/],
    ["a device's certificate", of({ ...sound, certificates: '/device.pem' }), /no authority/],
    ['one authority twice', of(sound, sound), /named before/],
  ];
  for (const [what, document, message] of cases)
    it(`refuses ${what}`, () => {
      assert.throws(
        () => read(document),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError);
          assert.match(error.message, message);
          return true;
        },
      );
    });
});

describe('SIGNET_TPM_CAS', () => {
  const read = (value: string, files: Record<string, string>) =>
    loadConfig({ ...base, SIGNET_TPM_CAS: value }, (path) => {
      const text = { '/secret': 'x', ...files }[path];
      if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' });
      return text;
    }).tpm;
  it('is off, or names makers, or none', async () => {
    const { pem } = await createDeviceCa('maker');
    assert.equal(read('', {}), null);
    assert.deepEqual(read('none', {}), { authorities: [] });
    assert.equal(read('/makers.pem', { '/makers.pem': pem + pem })?.authorities.length, 2);
  });
  it('refuses a file that is not there, and one of something else', () => {
    assert.throws(() => read('/makers.pem', {}), /SIGNET_TPM_CAS names a file that does not exist/);
    assert.throws(() => read('/x', { '/x': 'x' }), /SIGNET_TPM_CAS names a file that is not of certificates/);
  });
});
