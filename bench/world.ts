import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCa, type TestCa } from '../test/support/ca.ts';

export const SERVER = 'spiffe://example.org/ns/bench/sa/orders';
export const CLIENT = 'spiffe://example.org/ns/bench/sa/web';
/** What the load generator asks for. */
export const PATH = '/api/v1/items?id=7';

/** Documents in the policy set; one of them allows the request. */
const DOCUMENTS = 20;

/** Writes the keys, certificates and policies that every implementation under test is given. */
export async function writeWorld(folder: string): Promise<void> {
  const root = await createCa();
  const issuer = await root.intermediate();
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  const leaf = async (name: string, id: string, options: Parameters<TestCa['leaf']>[1] = {}) => {
    const made = await issuer.leaf(id, options);
    write(`${name}.key`, made.privateKeyPem);
    write(`${name}.pem`, made.pem + issuer.pem);
    write(`${name}.id`, id);
  };
  await leaf('server', SERVER);
  await leaf('client', CLIENT);
  write('root.pem', root.pem);
  write('policies.json', JSON.stringify(policies()));
}

function policies(): object[] {
  const shared = { level: 'application', target: SERVER, mode: 'enforce' };
  const allow = {
    ...shared,
    name: 'web-reads-items',
    effect: 'allow',
    when: {
      all: [
        { caller: { is: CLIENT } },
        { method: { in: ['GET', 'HEAD'] } },
        { path: { like: '/api/{version}/items' } },
      ],
    },
  };
  const others = Array.from({ length: DOCUMENTS - 1 }, (_, i) => ({
    ...shared,
    name: `other-${i}`,
    effect: i % 5 === 0 ? 'deny' : 'allow',
    when: {
      all: [
        { caller: { is: `spiffe://example.org/ns/bench/sa/other-${i}` } },
        { path: { starts: `/other-${i}/` } },
      ],
    },
  }));
  return [allow, ...others];
}
