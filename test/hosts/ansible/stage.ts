import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSite, type Site, type TestBroker } from '../../broker/site.ts';
import { type Ansible, openAnsible, type Played, type PlayOptions } from '../../support/ansible.ts';

/** A real Vault, a real broker, and Ansible with the collection. */
export interface Stage extends AsyncDisposable {
  readonly site: Site;
  readonly broker: TestBroker;
  readonly ansible: Ansible;
  /** Where the broker is, for the controller's environment. */
  readonly where: Readonly<Record<string, string>>;
  /** Runs tasks as an operator with a registrar's token in the controller's environment. */
  operate(tasks: readonly object[], options?: PlayOptions): Promise<Played>;
  /** An entry as the broker has it, asked for by root; undefined where there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects to find, and fails when it is not there
  entry(name: string): Promise<any>;
}

/** Undefined where Ansible is not installed. */
export async function openStage(): Promise<Stage | undefined> {
  const ansible = await openAnsible();
  if (ansible === undefined) return undefined;
  const site = await openSite();
  const broker = await site.startBroker();
  const ca = join(ansible.dir, 'broker-ca.pem');
  await writeFile(ca, site.ca);
  const where = {
    SIGNET_BROKER_URL: `https://${broker.address}`,
    SIGNET_BROKER_CA: ca,
    SIGNET_TRUST_DOMAIN: 'example.org',
  };
  return {
    site,
    broker,
    ansible,
    where,
    operate: (tasks, { args = [], env = {}, ...rest } = {}) =>
      ansible.play(tasks, {
        ...rest,
        args: ['-v', ...args],
        env: { ...where, VAULT_TOKEN: site.registrar.shop, ...env },
      }),
    async entry(name) {
      const answer = await broker.call(
        'GET',
        `/v1/entries/acme.shop/${name}`,
        undefined,
        site.vault.rootToken,
      );
      return answer.status === 404 ? undefined : answer.body;
    },
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]();
      await ansible[Symbol.asyncDispose]();
    },
  };
}
