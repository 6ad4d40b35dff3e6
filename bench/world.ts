import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCa } from '../test/support/ca.ts';

const SERVER = 'spiffe://example.org/ns/bench/sa/orders';
const CLIENT = 'spiffe://example.org/ns/bench/sa/web';
/** What the load generator asks for. */
export const PATH = '/api/v1/items?id=7';
/** Rules in the policy set; the load generator's requests are allowed by one of them. */
const RULES = 20;

/** A rule that allows; `path` is Signet's template, `pattern` the same as a regular expression. */
type Rule = {
  readonly name: string;
  readonly caller: string;
  readonly methods: readonly string[];
  readonly path: string;
  readonly pattern: string;
};

/** The rules that every implementation with a policy enforces. */
export function allowed(): readonly Rule[] {
  return Array.from({ length: RULES }, (_, i) => ({
    name: i === RULES / 2 ? 'web-reads-items' : `other-${i}`,
    caller: i === RULES / 2 ? CLIENT : `spiffe://example.org/ns/bench/sa/other-${i}`,
    methods: ['GET', 'HEAD'],
    path: `/api/{version}/items${i === RULES / 2 ? '' : `/${i}`}`,
    pattern: `/api/[^/]+/items${i === RULES / 2 ? '' : `/${i}`}`,
  }));
}

/** Writes the keys, certificates and policies that every implementation under test is given. */
export async function writeWorld(folder: string): Promise<void> {
  const root = await createCa();
  const issuer = await root.intermediate();
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  for (const [name, id] of [
    ['server', SERVER],
    ['client', CLIENT],
  ] as const) {
    const leaf = await issuer.leaf(id);
    write(`${name}.key`, leaf.privateKeyPem);
    write(`${name}.pem`, leaf.pem + issuer.pem);
    write(`${name}.id`, id);
  }
  write('root.pem', root.pem);
  write('policies.json', JSON.stringify(allowed().map(document)));
}

function document({ name, caller, methods, path }: Rule): object {
  const when = { all: [{ caller: { is: caller } }, { method: { in: methods } }, { path: { like: path } }] };
  return { name, level: 'application', target: SERVER, effect: 'allow', mode: 'enforce', when };
}
