import type { Rule, Written } from './language.ts';

export const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
const TARGETS = [TARGET, TARGET, TARGET, TARGET, 'spiffe://example.org/ns/shop/sa/stock'];
const CALLERS = [
  'spiffe://example.org/ns/shop/sa/web',
  'spiffe://example.org/ns/shop/sa/admin',
  'spiffe://example.org/ns/stock/sa/web',
  'spiffe://example.org/ns/shop',
  'spiffe://example.com/ns/shop/sa/web',
  'spiffe://example.org/service-type/db/ver/2/ins/a1',
];
const CALLER_PATTERNS = [
  'spiffe://example.org/ns/*/sa/web',
  'spiffe://example.org/ns/shop/**',
  'spiffe://example.org/ns/**',
  'spiffe://example.com/**',
  'spiffe://example.org/*/shop/*/web',
];
const DOMAINS = ['example.org', 'example.com', 'example.net'];
const METHODS = ['GET', 'PUT', 'POST', 'DELETE'];
const PATHS = ['/', '/a', '/a/', '/a/b', '/a/b/', '/a/b/c', '/b', '/b/b', '/c/a', '/ab', '/a/bc'];
const TEMPLATES = [...PATHS, '/{x}', '/a/{x}', '/{x}/b', '/{x}/{y}/{z}', '/a/{x}/', '/{x}/'];

export type Draw = {
  pick<T>(list: readonly T[]): T;
  some<T>(list: readonly T[]): T[];
  below(most: number): number;
};

export function drawing(random: () => number): Draw {
  const below = (most: number) => Math.floor(random() * most);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  return { below, pick, some: (list) => Array.from({ length: 1 + below(3) }, () => pick(list)) };
}

const COMPARISONS: readonly ((draw: Draw) => Written)[] = [
  ({ pick }) => ({ caller: { is: pick(CALLERS) } }),
  ({ some }) => ({ caller: { in: some(CALLERS) } }),
  ({ pick }) => ({ caller: { like: pick(CALLER_PATTERNS) } }),
  ({ pick }) => ({ 'caller.trust_domain': { is: pick(DOMAINS) } }),
  ({ some }) => ({ 'caller.trust_domain': { in: some(DOMAINS) } }),
  ({ pick }) => ({ method: { is: pick(METHODS) } }),
  ({ some }) => ({ method: { in: some(METHODS) } }),
  ({ pick }) => ({ path: { is: pick(PATHS) } }),
  ({ some }) => ({ path: { in: some(PATHS) } }),
  ({ pick }) => ({ path: { starts: pick(PATHS) } }),
  ({ pick }) => ({ path: { like: pick(TEMPLATES) } }),
];

function randomCondition(draw: Draw, depth: number): Written {
  const kind = depth === 0 ? 9 : draw.below(10);
  const branches = () => Array.from({ length: 1 + draw.below(3) }, () => randomCondition(draw, depth - 1));
  if (kind < 3) return { all: branches() };
  if (kind < 5) return { any: branches() };
  if (kind < 6) return { not: randomCondition(draw, depth - 1) };
  return draw.pick(COMPARISONS)(draw);
}

export function randomRules(draw: Draw): Rule[] {
  return Array.from({ length: draw.below(14) }, (_, i) => ({
    name: `r${i}`,
    target: draw.pick(TARGETS),
    level: draw.pick(['root', 'business-unit', 'application']),
    effect: draw.pick(['allow', 'allow', 'deny'] as const),
    mode: draw.pick(['enforce', 'enforce', 'enforce', 'dry-run'] as const),
    when: randomCondition(draw, 3),
  }));
}

export type RandomRequest = { readonly caller: string; readonly method: string; readonly path: string };

export function randomRequest({ pick }: Draw): RandomRequest {
  return {
    caller: pick(CALLERS),
    method: pick([...METHODS, 'HEAD']),
    path: pick([...PATHS, '/z', '/a/b/c/d']),
  };
}
