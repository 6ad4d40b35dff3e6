import type { Condition, PolicyDocument } from './document.ts';
import { type Reader, readerOf, type Subject } from './reading.ts';
import { type Found, shownValue } from './shown.ts';

/** What rules ask about, that a decision's record should hold to be explained later, and that is no secret and no whole query. */
const RECORDED = [
  ...['origin', 'chain', 'user.scope', 'user.role', 'user.consent', 'user.acr', 'user.auth_age', 'token.age'],
  ...['host', 'protocol', 'size', 'source', 'edge'],
];

/** Null where no rule asks about any of it. */
export function recorder(documents: readonly PolicyDocument[]): ((subject: Subject) => Asked) | null {
  const asked = new Set(documents.flatMap(({ when }) => [...attributesOf(when)]));
  const readers = RECORDED.filter((name) => asked.has(name)).map((attribute): [string, Reader] => [
    attribute,
    readerOf({ attribute }),
  ]);
  if (readers.length === 0) return null;
  return (subject) =>
    Object.fromEntries(readers.map(([name, read]) => [name, shownValue(name, read(subject))]));
}

type Asked = Readonly<Record<string, Found>>;

function* attributesOf(condition: Condition): Iterable<string> {
  if (condition.kind === 'not') yield* attributesOf(condition.of);
  else if (condition.kind !== 'predicate') for (const branch of condition.of) yield* attributesOf(branch);
  else {
    yield condition.attribute;
    if ('other' in condition) yield condition.other.attribute;
    if ('pairs' in condition) yield* [condition.from.attribute, condition.to.attribute];
  }
}
