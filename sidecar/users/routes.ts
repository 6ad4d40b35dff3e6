import {
  matchesTemplate,
  type PathTemplate,
  parseTemplate,
  pathFlaw,
  startsWith,
} from '../../lib/policy/index.ts';
import type { Place } from './defects.ts';

/** Whether a request has to have an end user. `optional`: a token that is there has to be good. */
export type Need = 'required' | 'optional' | 'forbidden';
const NEEDS: readonly Need[] = ['required', 'optional', 'forbidden'];

/** Null: any. */
export type RouteRule = {
  readonly path: PathRule | null;
  readonly methods: ReadonlySet<string> | null;
  readonly user: Need;
};

type PathRule =
  | { readonly operator: 'is' | 'starts'; readonly path: string }
  | { readonly operator: 'like'; readonly template: PathTemplate };

const MOST_ROUTES = 1_000;
const METHOD = /^[A-Z-]{1,24}$/;
const OPERATORS = ['is', 'starts', 'like'];

/** The first route that fits a request decides; where none does, a user is optional. */
export function needOf(routes: readonly RouteRule[], method: string, path: string): Need {
  for (let i = 0; i < routes.length; i++) {
    const rule = routes[i]!;
    if (rule.methods !== null && !rule.methods.has(method)) continue;
    if (rule.path === null || covers(rule.path, path)) return rule.user;
  }
  return 'optional';
}

function covers(rule: PathRule, path: string): boolean {
  if (rule.operator === 'like') return matchesTemplate(rule.template, path);
  return rule.operator === 'is' ? path === rule.path : startsWith(path, rule.path);
}

export function parseRoutes(value: unknown, place: Place): RouteRule[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MOST_ROUTES) {
    place.flaw(`is not a list of at most ${MOST_ROUTES} routes`);
    return [];
  }
  return value.map((each, i) => parseRoute(each, place.at(i)));
}

function parseRoute(value: unknown, place: Place): RouteRule {
  const raw = place.object(value, ['path', 'methods', 'user'], ['user']);
  const user = NEEDS.find((need) => need === raw['user']);
  if (user === undefined && raw['user'] !== undefined)
    place.at('user').flaw(`is not one of ${NEEDS.join(', ')}`);
  const { methods } = raw;
  return {
    path: raw['path'] === undefined ? null : parsePath(raw['path'], place.at('path')),
    methods:
      methods === undefined
        ? null
        : new Set(place.at('methods').texts(methods, METHOD, 'a method in capitals')),
    user: user ?? 'required',
  };
}

function parsePath(value: unknown, place: Place): PathRule | null {
  const raw = place.object(value, OPERATORS);
  const [operator, ...more] = Object.keys(raw).filter((name) => OPERATORS.includes(name));
  if (operator === undefined || more.length > 0) {
    place.flaw(`has not exactly one of ${OPERATORS.join(', ')}`);
    return null;
  }
  const path = raw[operator];
  const at = place.at(operator);
  const flaw = typeof path === 'string' ? pathFlaw(operator === 'like' ? '/' : path) : 'a text';
  if (typeof path !== 'string' || flaw !== null) {
    at.flaw(`is not ${flaw}`);
    return null;
  }
  if (operator !== 'like') return { operator: operator as 'is' | 'starts', path };
  const template = parseTemplate(path);
  if (typeof template !== 'string') return { operator, template };
  at.flaw(`is not ${template}`);
  return null;
}
