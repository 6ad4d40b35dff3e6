import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '../../../harness/port.ts';
import { outcome, usersWorld } from './world.ts';

const JWT = 'urn:jwt';
const OPAQUE = 'urn:opaque';
const CLIENT = { id: 'job', secret: 'p+ss w/rd%' };

/** An OIDC provider that others wrote, whose client may ask for access tokens of two kinds. */
class Provider implements AsyncDisposable {
  readonly url: string;
  private readonly server: Server;
  private constructor(url: string, server: Server) {
    this.url = url;
    this.server = server;
  }

  static async start(): Promise<Provider> {
    // @ts-expect-error it comes without types
    const { default: OidcProvider } = (await import('oidc-provider')) as {
      readonly default: new (
        issuer: string,
        configuration: object,
      ) => { listen(port: number, host: string): Server };
    };
    const url = `http://127.0.0.1:${await freePort()}`;
    const client = { client_id: CLIENT.id, client_secret: CLIENT.secret };
    const provider = new OidcProvider(url, {
      clients: [{ ...client, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
      scopes: ['orders:read', 'orders:write'],
      features: {
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_: unknown, resource: string) => ({
            scope: 'orders:read orders:write',
            audience: 'orders',
            accessTokenTTL: 600,
            accessTokenFormat: resource === JWT ? 'jwt' : 'opaque',
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
      // of a client that acts for itself it names a subject in JWTs alone
      extraTokenClaims: (
        _: unknown,
        token: { readonly resourceServer: { readonly accessTokenFormat: string } },
      ) => ({
        roles: ['batch'],
        ...(token.resourceServer.accessTokenFormat === 'opaque' ? { sub: 'job' } : {}),
      }),
    });
    const server = provider.listen(Number(new URL(url).port), '127.0.0.1');
    await once(server, 'listening');
    assert.ok((server.address() as AddressInfo).port > 0);
    return new Provider(url, server);
  }

  async token(resource: string): Promise<string> {
    const body = await this.post('/token', {
      grant_type: 'client_credentials',
      scope: 'orders:read',
      resource,
    });
    return (JSON.parse(body) as { readonly access_token: string }).access_token;
  }

  async revoke(token: string): Promise<void> {
    await this.post('/token/revocation', { token });
  }

  private async post(path: string, form: Record<string, string>): Promise<string> {
    const secret = [CLIENT.id, CLIENT.secret].map(encodeURIComponent).join(':');
    const asked = request(`${this.url}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(secret).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
    });
    asked.end(new URLSearchParams(form).toString());
    const [response] = await once(asked, 'response');
    let text = '';
    for await (const piece of response) text += piece;
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

describe('users: of an OpenID provider', () => {
  it('are told by its JWT access tokens, and by the keys it publishes', async () => {
    await using provider = await Provider.start();
    await using w = await usersWorld({
      document: () => ({
        issuers: [
          {
            name: 'op',
            issuer: provider.url,
            audience: 'orders',
            jwks: { url: `${provider.url}/jwks` },
            types: ['at+jwt'],
            authorized_parties: ['job'],
          },
        ],
      }),
    });
    assert.equal(outcome(await w.present(await provider.token(JWT))), '200', w.logged.join(''));
    const [user] = w.seen;
    assert.deepEqual(
      [user!.issuer, [...user!.scopes], [...user!.roles]],
      [provider.url, ['orders:read'], ['batch']],
    );
    assert.equal(user!.claims['client_id'], CLIENT.id);
    assert.equal(outcome(await w.present(await provider.token(OPAQUE))), '401 token_invalid');
  });

  it('are told by asking it, until it says no more', async () => {
    await using provider = await Provider.start();
    let ahead = 0;
    await using w = await usersWorld({
      clock: { now: () => new Date(Date.now() + ahead) },
      async document(_, folder) {
        await writeFile(join(folder, 'secret'), `${CLIENT.secret}\n`);
        const introspection = {
          url: `${provider.url}/token/introspection`,
          client_id: CLIENT.id,
          client_secret_file: 'secret',
        };
        return { issuers: [{ name: 'op', issuer: provider.url, audience: 'orders', introspection }] };
      },
    });
    const token = await provider.token(OPAQUE);
    assert.equal(outcome(await w.present(token)), '200', w.logged.join(''));
    const [user] = w.seen;
    assert.deepEqual([user!.issuer, [...user!.scopes]], ['op', ['orders:read']]);
    await provider.revoke(token);
    assert.equal(outcome(await w.present(token)), '200', 'it was asked a moment ago');
    ahead += 31_000;
    assert.equal(outcome(await w.present(token)), '401 token_invalid');
    assert.equal(outcome(await w.present('no-such-token')), '401 token_invalid');
    assert.doesNotMatch(w.logged.join('') + w.metrics.render(), new RegExp(`${token}|p\\+ss`));
  });
});
