/** The rules and requests that engines are compared by, in no engine's language. */
export type Rule = {
  readonly name: string;
  readonly effect: 'allow' | 'deny';
  readonly mode: 'enforce' | 'dry-run';
  /** What it asks; what is absent it does not ask. */
  readonly callers?: readonly string[];
  /** Of another namespace of the trust domain, whatever lies in it. */
  readonly namespace?: string;
  readonly methods?: readonly string[];
  readonly path: { readonly is?: string; readonly starts?: string; readonly oneBelow?: string };
};

export type Asked = { readonly caller: string; readonly method: string; readonly path: string };

export const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const DOCUMENTS = 1_000;
const REQUESTS = 1_024;
const caller = (i: number) => `spiffe://example.org/ns/shop/sa/caller-${i}`;

/** Five rules a resource: read, write, list, a deny, a dry-run deny. */
export const RULES: readonly Rule[] = Array.from({ length: DOCUMENTS }, (_, i) => {
  const resource = `/api/v1/resource-${Math.floor(i / 5)}`;
  const allow = { effect: 'allow', mode: 'enforce', callers: [caller(i), caller(i + 1), caller(1)] } as const;
  const deny = { effect: 'deny', path: { starts: resource } } as const;
  const rules: readonly Omit<Rule, 'name'>[] = [
    { ...allow, methods: ['GET', 'HEAD'], path: { oneBelow: resource } },
    { ...allow, methods: ['PUT', 'PATCH'], path: { oneBelow: resource } },
    { ...allow, methods: ['GET'], path: { is: resource } },
    { ...deny, mode: 'enforce', methods: ['DELETE'] },
    { ...deny, mode: 'dry-run', namespace: 'test' },
  ];
  return { name: `rule-${i}`, ...rules[i % 5]! };
});

export const ASKED: readonly Asked[] = Array.from({ length: REQUESTS }, (_, i) => ({
  caller: caller(i % 3 === 0 ? i : 1),
  method: ['GET', 'PUT', 'DELETE', 'POST'][i % 4]!,
  path: `/api/v1/resource-${(i * 7) % 260}${i % 2 === 0 ? `/${i}` : ''}`,
}));
