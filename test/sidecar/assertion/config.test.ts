import assert from 'node:assert/strict';
import { ConfigError } from '../../../lib/adapter/settings.ts';
import { loadConfig } from '../../../sidecar/config/index.ts';
import { createCa } from '../../support/ca.ts';

describe('settings of what the app is told, and of risk', () => {
  let pem: string;
  before(async () => {
    ({ pem } = await createCa());
  });
  const load = (more: Record<string, string>) =>
    loadConfig(
      {
        SIGNET_TRUST_DOMAIN: 'example.org',
        SIGNET_BROKER_URL: 'https://broker:8555',
        SIGNET_BROKER_CA: 'ca.pem',
        SIGNET_ATTEST: 'ssh-host:/etc/ssh/ssh_host_ed25519_key',
        SIGNET_INBOUND: '0.0.0.0:8443->127.0.0.1:8080',
        SIGNET_POLICY_FILE: '/etc/signet/policy.json',
        ...more,
      },
      (path) =>
        ({
          'ca.pem': pem,
          'risk.json': '{"inputs":{"acr":{"weight":5,"in":["mfa"]}}}',
          'bad.json': '{"inputs":{"speed":{},"new_edge":{"weight":"5"}}}',
        })[path] ?? '',
    );
  const defects = (more: Record<string, string>): readonly string[] => {
    try {
      load(more);
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.defects;
    }
    return [];
  };

  it('are off where nothing is said', () => {
    const { app, risk } = load({});
    assert.deepEqual([app, risk], [{ claims: [], assertion: false, transaction: false }, null]);
  });

  it('are read', () => {
    const { app, risk } = load({
      SIGNET_CLAIMS: ' email  https://example.org/roles ',
      SIGNET_ASSERTION: 'on',
      SIGNET_TRANSACTION: 'on',
      SIGNET_RISK: 'risk.json',
    });
    assert.deepEqual(app, {
      claims: ['email', 'https://example.org/roles'],
      assertion: true,
      transaction: true,
    });
    assert.equal(risk?.inputs.acr?.weight, 5);
  });

  for (const [more, wanted] of [
    [{ SIGNET_CLAIMS: 'a b a' }, ['SIGNET_CLAIMS names a claim twice']],
    [{ SIGNET_CLAIMS: 'a é' }, ['SIGNET_CLAIMS has a name that is not 1 to 128 of visible ASCII']],
    [
      { SIGNET_CLAIMS: Array.from({ length: 33 }, (_, i) => `c${i}`).join(' ') },
      ['SIGNET_CLAIMS names more than 32 claims'],
    ],
    [{ SIGNET_ASSERTION: 'yes' }, ['SIGNET_ASSERTION is not one of on, off']],
    [{ SIGNET_TRANSACTION: '1' }, ['SIGNET_TRANSACTION is not one of on, off']],
    [{ SIGNET_RISK: 'none.json' }, ['SIGNET_RISK names a file in which all is not JSON']],
    [
      { SIGNET_RISK: 'bad.json' },
      [
        'SIGNET_RISK names a file in which /inputs/speed is unknown: there are rate, hour, size, errors, new_edge, token_age, acr, network, recent, reported',
        'SIGNET_RISK names a file in which /inputs/new_edge/weight is not a number from 1 to 100',
      ],
    ],
  ] as [Record<string, string>, string[]][])
    it(`are refused: ${wanted[0]}`, () => assert.deepEqual(defects(more), wanted));
});
