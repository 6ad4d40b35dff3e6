import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import {
  judgeRunToken,
  RunFault,
  type RunToken,
  readRunToken,
} from '../../../broker/delegations/run-token.ts';
import { KeyRing } from '../../../lib/adapter/key-ring.ts';
import { parseDelegation } from '../../../lib/vault-layout/delegations/index.ts';
import { encoded, signedBy, testKey } from '../../sidecar/users/issuer.ts';
import { RUN } from '../../support/run-issuer.ts';
import { silentLog } from '../../support/silent-log.ts';

const SEED = 20_260_101;
const ISSUER = 'https://app.terraform.io';
const NOW = 1_800_000_000;
const IDS = {
  terraform_organization_id: RUN.terraform_organization_id,
  terraform_project_id: RUN.terraform_project_id,
  terraform_workspace_id: RUN.terraform_workspace_id,
};
const delegation = parseDelegation({
  name: 'shop-prod',
  issuer: { name: 'hcp', url: ISSUER, jwks_url: `${ISSUER}/.well-known/jwks` },
  audience: 'signet',
  claims: IDS,
  phase: { claim: 'terraform_run_phase', write: 'apply', read: 'plan' },
  ...{ tenant: 'acme/shop', id_prefixes: ['ns/shop/'], ttl: '30m' },
});
const GOOD = {
  ...RUN,
  ...{ iss: ISSUER, aud: 'signet', iat: NOW - 10, nbf: NOW - 10, exp: NOW + 7_200, jti: 'c9f7a1b2' },
};

describe("a run's token", () => {
  const key = testKey('one');
  let ring: KeyRing;
  before(async () => {
    ring = new KeyRing({
      ...{ event: 'issuer_keys', issuer: ISSUER, secret: false, refreshSeconds: 3_600, keepSeconds: 3_600 },
      clock: { now: () => new Date(NOW * 1_000) },
      log: silentLog,
      read: async () => ({ keys: [key.jwk] }),
      told: () => undefined,
      closed: () => undefined,
    });
    await ring.refresh();
  });
  after(() => ring[Symbol.dispose]());

  const judged = async (text: string): Promise<RunToken | RunFault> => {
    const read = readRunToken(text);
    return read instanceof RunFault ? read : await judgeRunToken(read, delegation, ring, () => NOW * 1_000);
  };
  const signed = (claims: object, header: object = {}) =>
    signedBy(key, { alg: 'ES256', kid: 'one', typ: 'JWT', ...header }, claims as never);

  it('is taken as it is issued', async () => {
    assert.deepEqual(await judged(signed(GOOD)), { id: 'c9f7a1b2', exp: NOW + 7_200, access: 'write' });
    const plan = await judged(signed({ ...GOOD, terraform_run_phase: 'plan' }));
    assert.equal((plan as RunToken).access, 'read');
  });

  it('is taken with no claim changed that counts (fuzz)', async () => {
    const counts = [...Object.keys(IDS), 'terraform_run_phase', 'iss', 'aud', 'exp', 'jti', 'iat', 'nbf'];
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        ...Object.values(GOOD),
        'plan',
        'apply',
        '*',
        '',
        null,
        true,
        {},
        [],
        ['signet'],
      ),
      fc.constantFrom<unknown>(
        NOW - 1e6,
        NOW + 1e6,
        -1,
        1e300,
        '1800000000',
        `${RUN.terraform_workspace_id} `,
      ),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...counts), value, async (name, other) => {
        const found = await judged(signed({ ...GOOD, [name]: other }));
        if (found instanceof RunFault) return;
        const same = JSON.stringify(other) === JSON.stringify(GOOD[name as keyof typeof GOOD]);
        const fine =
          (name === 'terraform_run_phase' && other === 'plan' && found.access === 'read') ||
          (name === 'aud' && JSON.stringify(other) === '["signet"]') ||
          (name === 'jti' && typeof other === 'string' && other !== '') ||
          (['iat', 'nbf', 'exp'].includes(name) && typeof other === 'number');
        assert.ok(same || fine, `${name} ${JSON.stringify(other)} was taken`);
        if (name === 'exp') assert.ok(found.exp > NOW - 31 && found.exp <= NOW + 26 * 3_600);
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it('is none when a letter of it is another, and whatever else is sent (fuzz)', async () => {
    const good = signed(GOOD);
    const letter = fc.constantFrom(...'AZaz09-_.= \n%é');
    const spoilt = fc
      .tuple(fc.nat(good.length - 1), letter)
      .map(([at, other]) => good.slice(0, at) + other + good.slice(at + 1));
    const cut = fc.nat(good.length - 1).map((at) => good.slice(0, at));
    const part = fc.oneof(
      fc.constantFrom(...good.split('.'), ''),
      fc.jsonValue().map((json) => encoded(JSON.stringify(json))),
      fc.string(),
    );
    const built = fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.'));
    await fc.assert(
      fc.asyncProperty(fc.oneof(spoilt, cut, built, fc.string({ unit: 'binary' })), async (text) => {
        const found = await judged(text);
        assert.ok(text === good || found instanceof RunFault, text);
        if (found instanceof RunFault) assert.ok(!found.reason.includes(RUN.terraform_workspace_id));
      }),
      { seed: SEED, numRuns: 5_000 },
    );
  });

  it('is none when its header says otherwise (fuzz)', async () => {
    const header = fc.record(
      {
        alg: fc.constantFrom<unknown>('none', 'HS256', 'RS256', 'ES384', 'EdDSA', 'es256', '', null, 7, [
          'ES256',
        ]),
        kid: fc.constantFrom<unknown>('two', '../one', '', 7, {}),
        typ: fc.constantFrom<unknown>('at+jwt', 'logout+jwt', 'JOSE', 7),
        crit: fc.constant(['exp']),
        zip: fc.constant('DEF'),
        b64: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(header, async (more) => {
        const found = await judged(signed(GOOD, more));
        assert.equal(found instanceof RunFault, Object.keys(more).length > 0, JSON.stringify(more));
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});
