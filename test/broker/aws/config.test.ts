import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'mocha';
import { loadConfig } from '../../../broker/config.ts';
import { type TestAws, testAws } from '../../support/aws.ts';

describe('SIGNET_AWS_CERTIFICATES', () => {
  const base = {
    SIGNET_TRUST_DOMAIN: 'example.org',
    VAULT_ADDR: 'https://vault.example.org:8200',
    SIGNET_VAULT_ROLE_ID: 'role',
    SIGNET_VAULT_SECRET_ID_FILE: '/secret',
  };
  const files: Record<string, string> = { '/secret': 'x', '/empty.pem': 'x' };
  let aws: TestAws;
  before(async () => {
    aws = await testAws();
    const text = async (region: string, key?: string) => {
      const signer = await aws.signer(region, key === undefined ? {} : { key });
      return { pem: await readFile(signer.certificate, 'utf8'), key: await readFile(signer.key, 'utf8') };
    };
    const [old, current, weak] = [await text('a'), await text('b'), await text('c', 'rsa:1024')];
    files['/one.pem'] = current.pem;
    files['/both.pem'] = old.pem + current.pem;
    files['/weak.pem'] = weak.pem;
    files['/key.pem'] = current.pem + current.key;
    files['/damaged.pem'] = current.pem.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
  });
  after(() => aws?.[Symbol.asyncDispose]());
  const read = (value: string, within = '') =>
    loadConfig({ ...base, SIGNET_AWS_CERTIFICATES: value, SIGNET_AWS_LAUNCHED_WITHIN: within }, (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error('no'), { code: 'ENOENT' });
      return text;
    }).aws;

  it('is off, or names those of regions', () => {
    assert.equal(read(''), null);
    assert.equal(read('', '30m'), null);
    const { certificates, launchedWithinMs } = read(
      'eu-central-1=/both.pem\n us-gov-west-1=/one.pem',
      '24h',
    )!;
    assert.deepEqual(
      certificates.map(({ region }) => region),
      ['eu-central-1', 'eu-central-1', 'us-gov-west-1'],
    );
    assert.equal(
      certificates[2]!.certificate.fingerprint,
      new X509Certificate(files['/one.pem']!).fingerprint,
    );
    assert.equal(launchedWithinMs, 86_400_000);
    assert.equal(read('eu-central-1=/one.pem')!.launchedWithinMs, null);
  });
  const refused: [value: string, reason: RegExp][] = [
    ['/one.pem', /SIGNET_AWS_CERTIFICATES item 1: is not region=\/path/],
    ['Frankfurt=/one.pem', /item 1: is not region=/],
    ['eu-central-1=one.pem', /item 1: is not region=/],
    ['eu-central-1=/one.pem eu-central-1=/one.pem', /eu-central-1: is named twice/],
    ['eu-central-1=/none.pem', /eu-central-1: names a file that does not exist/],
    ['eu-central-1=/empty.pem', /names a file without a certificate/],
    ['eu-central-1=/damaged.pem', /names a file with a damaged certificate/],
    ['eu-central-1=/key.pem', /names a file that holds a private key/],
    ['eu-central-1=/weak.pem', /is not RSA of 2048 bits/],
    ['us-east-1=/none.pem eu-central-1=/weak.pem', /us-east-1: .*; eu-central-1: /],
  ];
  for (const [value, reason] of refused)
    it(`refuses ${value}`, () => {
      assert.throws(() => read(value), reason);
    });
  for (const within of ['30', '30s', '0m', '1d', 'm'])
    it(`refuses ${within} as a time since the launch`, () => {
      assert.throws(() => read('eu-central-1=/one.pem', within), /SIGNET_AWS_LAUNCHED_WITHIN is not a time/);
    });
});
