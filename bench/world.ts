import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCa } from '../test/support/ca.ts';

export const SERVER = 'spiffe://example.org/ns/bench/sa/orders';
export const CLIENT = 'spiffe://example.org/ns/bench/sa/web';
/** Under it the client's requests name the service; the name in `named.pem`, for those who check names and not IDs. */
export const HOST = 'orders';
/** What the load generator asks for. */
export const PATH = '/api/v1/items?id=7';
export const GRPC_PATH = '/bench.Items/Read';

const DAY_MS = 24 * 3_600_000;

/** A rule that allows; `path` is Signet's template, `pattern` the same as a regular expression. */
type Rule = {
  readonly name: string;
  readonly caller: string;
  readonly methods: readonly string[];
  readonly path: string;
  readonly pattern: string;
};

/** So many rules, one document each, that every implementation with a policy enforces. Those for our client are in the middle. */
export function allowed(count: number): readonly Rule[] {
  const rules: Rule[] = Array.from({ length: count }, (_, i) => ({
    name: nameOf(i),
    caller: `spiffe://example.org/ns/bench/sa/other-${i}`,
    methods: ['GET', 'HEAD'],
    path: `/api/{version}/items/${i}`,
    pattern: `/api/[^/]+/items/${i}`,
  }));
  const middle = count >> 1;
  const ours = { caller: CLIENT, methods: ['GET', 'HEAD', 'POST'] };
  rules[middle] = {
    ...ours,
    name: nameOf(middle),
    path: '/api/{version}/items',
    pattern: '/api/[^/]+/items',
  };
  const next = middle + 1;
  rules[next] = { ...ours, name: nameOf(next), path: '/bench.Items/{method}', pattern: '/bench.Items/[^/]+' };
  return rules;
}

/** Those who judge rules in the order of their names meet ours in the middle too. */
function nameOf(i: number): string {
  return `rule-${String(i).padStart(4, '0')}`;
}

/** Writes the keys, certificates and policies that every implementation under test is given. */
export async function writeWorld(folder: string, counts: Iterable<number>): Promise<void> {
  const root = await createCa();
  const issuer = await root.intermediate();
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text, { mode: 0o600 });
  for (const [name, id, dns] of [
    ['server', SERVER, []],
    ['client', CLIENT, []],
    ['named', SERVER, [HOST]],
  ] as const) {
    const sans = [
      { type: 'url' as const, value: id },
      ...dns.map((value) => ({ type: 'dns' as const, value })),
    ];
    const leaf = await issuer.leaf(id, { sans: [...sans], notAfter: new Date(Date.now() + DAY_MS) });
    write(`${name}.key`, leaf.privateKeyPem);
    write(`${name}.pem`, leaf.pem + issuer.pem);
    write(`${name}.both.pem`, leaf.pem + issuer.pem + leaf.privateKeyPem);
    write(`${name}.id`, id);
  }
  write('root.pem', root.pem);
  for (const count of counts) write(policyFile(count), JSON.stringify(allowed(count).map(document)));
}

export function policyFile(count: number): string {
  return `policies-${count}.json`;
}

function document({ name, caller, methods, path }: Rule): object {
  const when = { all: [{ caller: { is: caller } }, { method: { in: methods } }, { path: { like: path } }] };
  return { name, level: 'application', target: SERVER, effect: 'allow', mode: 'enforce', when };
}
