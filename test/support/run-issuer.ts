import { once } from 'node:events';
import type { Server } from 'node:http';
import { freePort } from '../../harness/port.ts';

export type Claims = Readonly<Record<string, unknown>>;
type Parts = { header: Record<string, unknown>; payload: Record<string, unknown> };

const CLIENT = { id: 'platform', secret: 'not-so-secret' };

/** What HCP Terraform says of a run of the workspace `shop-prod`, beside issuer, times and number. */
export const RUN = {
  sub: 'organization:acme:project:shop:workspace:shop-prod:run_phase:apply',
  terraform_organization_id: 'org-GRNbCjYNpBB6NEBH',
  terraform_organization_name: 'acme',
  terraform_project_id: 'prj-vegSA59s1XPwMr2t',
  terraform_project_name: 'shop',
  terraform_workspace_id: 'ws-mbsd5E3Ktt5Rg2Xm',
  terraform_workspace_name: 'shop-prod',
  terraform_full_workspace: 'organization:acme:project:shop:workspace:shop-prod',
  terraform_run_id: 'run-X3n1AUXNGWbfECsJ',
  terraform_run_phase: 'apply',
} as const;

/** An OIDC provider that others wrote, on loopback, whose tokens carry the claims of HCP Terraform's workload identity. */
export class RunIssuer implements AsyncDisposable {
  readonly url: string;
  private readonly server: Server;
  private readonly said: { claims: Claims };
  private constructor(url: string, server: Server, said: { claims: Claims }) {
    this.url = url;
    this.server = server;
    this.said = said;
  }

  static async start(): Promise<RunIssuer> {
    // @ts-expect-error it comes without types
    const { default: OidcProvider } = (await import('oidc-provider')) as {
      readonly default: new (
        issuer: string,
        configuration: object,
      ) => { listen(port: number, host: string): Server };
    };
    const url = `http://127.0.0.1:${await freePort()}`;
    const said: { claims: Claims } = { claims: {} };
    const provider = new OidcProvider(url, {
      clients: [
        {
          ...{ client_id: CLIENT.id, client_secret: CLIENT.secret },
          ...{ grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
        },
      ],
      routes: { jwks: '/.well-known/jwks' },
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            ...{ scope: '', audience: 'signet', accessTokenTTL: 7_200, accessTokenFormat: 'jwt' },
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
      formats: {
        customizers: {
          jwt(_: unknown, __: unknown, parts: Parts) {
            parts.header = { ...parts.header, typ: 'JWT' };
            const { client_id: _client, scope: _scope, ...payload } = parts.payload;
            const { iat } = payload as { iat: number };
            const all: Record<string, unknown> = { ...payload, ...RUN, nbf: iat, ...said.claims };
            for (const name of Object.keys(all)) if (all[name] === undefined) delete all[name];
            parts.payload = all;
          },
        },
      },
    });
    const server = provider.listen(Number(new URL(url).port), '127.0.0.1');
    await once(server, 'listening');
    return new RunIssuer(url, server, said);
  }

  get jwksUrl(): string {
    return `${this.url}/.well-known/jwks`;
  }

  /** A token as a run is given it, but for these claims; undefined takes one away. */
  async token(claims: Claims = {}): Promise<string> {
    this.said.claims = claims;
    const answer = await fetch(`${this.url}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${CLIENT.id}:${CLIENT.secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials', resource: 'urn:signet' }),
    });
    const { access_token: token } = (await answer.json()) as { readonly access_token?: string };
    if (token === undefined) throw new Error(`the issuer gave no token: ${answer.status}`);
    return token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
