import { applyDelegation, parseDelegation } from '../../lib/vault-layout/delegations/index.ts';
import { TestIssuer } from '../sidecar/users/issuer.ts';
import { type Lab, openLab } from './lab.ts';

export const IDS = {
  terraform_organization_id: 'org-1',
  terraform_project_id: 'prj-1',
  terraform_workspace_id: 'ws-1',
};
export const WRITE_ROLE = 'auth/signet-jwt-hcp/role/shop-prod_write';
export const DOCUMENT = 'signet/data/delegations/shop-prod';

/** A Vault, an issuer, and what it takes to delegate to runs of the one in the other. */
export class Delegating implements AsyncDisposable {
  readonly lab: Lab;
  readonly issuer: TestIssuer;
  private constructor(lab: Lab, issuer: TestIssuer) {
    this.lab = lab;
    this.issuer = issuer;
  }

  static async open(): Promise<Delegating> {
    return new Delegating(...(await Promise.all([openLab(), TestIssuer.start()])));
  }

  /** The delegation `shop-prod`, but for what is said otherwise. */
  described(more: object = {}) {
    const { url } = this.issuer;
    return {
      name: 'shop-prod',
      issuer: { name: 'hcp', url, jwks_url: `${url}/jwks` },
      audience: 'signet',
      claims: IDS,
      phase: { claim: 'terraform_run_phase', write: 'apply', read: 'plan' },
      tenant: 'acme/shop',
      id_prefixes: ['ns/shop/web/'],
      entries: 'web-',
      networks: ['127.0.0.0/8'],
      ttl: '30m',
      ...more,
    };
  }

  delegate(more: object = {}) {
    return applyDelegation(this.lab.port, parseDelegation(this.described(more)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
    await this.issuer[Symbol.asyncDispose]();
  }
}
