import type { Guard } from './guard.ts';

/** Entries one rule may take; above that its guard is widened instead. */
const MAX_ENTRIES = 1024;

/** An object and not a closure, which would have to be made for each request. */
export interface Visitor<Rule> {
  visit(rule: Rule): void;
}

class Callers<Rule> {
  readonly byCaller = new Map<string, Rule[]>();
  readonly any: Rule[] = [];
}

class Bucket<Rule> {
  readonly byMethod = new Map<string, Callers<Rule>>();
  readonly any = new Callers<Rule>();
}

class Node<Rule> {
  readonly children = new Map<string, Node<Rule>>();
  wildcard: Node<Rule> | null = null;
  /** Rules for the path that ends here. */
  here: Bucket<Rule> | null = null;
  /** Rules for that path and every path below. */
  below: Bucket<Rule> | null = null;
}

/**
 * Rules by path, then method, then caller: a request meets the rules whose guard it satisfies, and the number of the others costs
 * nothing.
 */
export class RuleIndex<Rule> {
  readonly #root = new Node<Rule>();
  /** Rules for any path, even one that is no path. */
  readonly #anyPath = new Bucket<Rule>();

  add(rule: Rule, guard: Guard): void {
    const { paths } = guard;
    const width = paths?.length ?? 1;
    const methods = width * (guard.methods?.length ?? 1) > MAX_ENTRIES ? null : guard.methods;
    const cells = width * (methods?.length ?? 1);
    const callers = cells * (guard.callers?.length ?? 1) > MAX_ENTRIES ? null : guard.callers;
    const buckets = paths?.map((key) => this.#bucket(key)) ?? [this.#anyPath];
    const groups = buckets.flatMap(
      (bucket) => methods?.map((name) => entry(bucket.byMethod, name)) ?? [bucket.any],
    );
    for (const group of groups) {
      if (callers === null) group.any.push(rule);
      else for (const caller of callers) listed(group.byCaller, caller).push(rule);
    }
  }

  /** Visits every rule whose guard the request satisfies; one rule perhaps more than once. */
  visit(path: string, method: string, caller: string, visitor: Visitor<Rule>): void {
    meet(this.#anyPath, method, caller, visitor);
    if (path.startsWith('/')) descend(this.#root, path, 1, method, caller, visitor);
  }

  #bucket({ segments, open }: NonNullable<Guard['paths']>[number]): Bucket<Rule> {
    let node = this.#root;
    for (const segment of segments) {
      let next: Node<Rule> | null | undefined = segment === null ? node.wildcard : node.children.get(segment);
      if (next == null) {
        next = new Node<Rule>();
        if (segment === null) node.wildcard = next;
        else node.children.set(segment, next);
      }
      node = next;
    }
    if (open) return (node.below ??= new Bucket<Rule>());
    return (node.here ??= new Bucket<Rule>());
  }
}

/** `from` is where the next segment begins, past the end of the path when there is none. As deep as the deepest rule, no deeper. */
function descend<Rule>(
  node: Node<Rule>,
  path: string,
  from: number,
  method: string,
  caller: string,
  visitor: Visitor<Rule>,
): void {
  if (node.below !== null) meet(node.below, method, caller, visitor);
  if (from > path.length) {
    if (node.here !== null) meet(node.here, method, caller, visitor);
    return;
  }
  if (node.children.size === 0 && node.wildcard === null) return;
  let end = path.indexOf('/', from);
  if (end === -1) end = path.length;
  const child = node.children.get(path.slice(from, end));
  if (child !== undefined) descend(child, path, end + 1, method, caller, visitor);
  if (node.wildcard !== null && end > from) descend(node.wildcard, path, end + 1, method, caller, visitor);
}

function meet<Rule>(bucket: Bucket<Rule>, method: string, caller: string, visitor: Visitor<Rule>): void {
  const group = bucket.byMethod.get(method);
  if (group !== undefined) meetCallers(group, caller, visitor);
  meetCallers(bucket.any, caller, visitor);
}

function meetCallers<Rule>(group: Callers<Rule>, caller: string, visitor: Visitor<Rule>): void {
  const rules = group.byCaller.get(caller);
  if (rules !== undefined) for (const rule of rules) visitor.visit(rule);
  for (const rule of group.any) visitor.visit(rule);
}

function entry<Rule>(map: Map<string, Callers<Rule>>, key: string): Callers<Rule> {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = new Callers<Rule>()));
  return value;
}

function listed<Rule>(map: Map<string, Rule[]>, key: string): Rule[] {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = []));
  return value;
}
