import assert from 'node:assert/strict';
import { challengeIn, outcome, usersWorld } from './world.ts';

describe('users: what a request shows', () => {
  it('makes a good token the user that the judgement is asked about', async () => {
    await using w = await usersWorld();
    const token = w.issuer.token({ roles: ['clerk'], acr: 'gold', auth_time: 5, team: 'x' });
    assert.equal(outcome(await w.present(token)), '200');
    const [user] = w.seen;
    assert.equal(w.seen.length, 1);
    assert.deepEqual(
      [user!.issuer, user!.subject, [...user!.scopes], [...user!.roles], [...user!.consents], user!.acr],
      [w.issuer.url, 'alice', ['orders:read'], ['clerk'], [], 'gold'],
    );
    assert.deepEqual([user!.authTime, user!.claims['team']], [5, 'x']);
    // and the app has what it was sent
    assert.match(w.app.received, /^Authorization: Bearer ey/m);
  });

  it('is nobody without a token, and the request is judged as such', async () => {
    await using w = await usersWorld();
    assert.equal(outcome(await w.ask()), '200');
    assert.equal(outcome(await w.ask('Authorization: Basic YTpi\r\n')), '200');
    assert.deepEqual(w.seen, [null, null]);
    assert.equal(challengeIn(await w.ask()), null);
  });
});
