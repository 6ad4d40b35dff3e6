import { matchesPattern } from '../spiffe/index.ts';
import { ANONYMOUS } from './caller.ts';
import type { Predicate } from './document.ts';
import { matchesTemplate, startsWith } from './path.ts';
import type { Subject } from './reading.ts';
import { setOf } from './value-set.ts';

/**
 * A comparison of what every request has: caller, method and path. It holds or it does not; most comparisons are of this kind, and run on
 * every request. Null for any other.
 */
export function certainTest(predicate: Predicate): ((subject: Subject) => boolean) | null {
  switch (predicate.attribute) {
    case 'method':
      return equalTo(predicate, ({ method }) => method);
    case 'path':
      return pathTest(predicate);
    case 'caller': {
      if (!('pattern' in predicate)) return equalTo(predicate, ({ callerText }) => callerText);
      const { pattern } = predicate;
      return ({ caller }) => caller !== ANONYMOUS && matchesPattern(pattern, caller);
    }
    default:
      return null;
  }
}

function pathTest(predicate: Predicate): ((subject: Subject) => boolean) | null {
  if ('template' in predicate) {
    const { template } = predicate;
    return ({ path }) => matchesTemplate(template, path);
  }
  if ('prefix' in predicate) {
    const { prefix } = predicate;
    return ({ path }) => startsWith(path, prefix);
  }
  return equalTo(predicate, ({ path }) => path);
}

function equalTo(
  predicate: Predicate,
  read: (subject: Subject) => string,
): ((subject: Subject) => boolean) | null {
  if (!('values' in predicate) || 'patterns' in predicate) return null;
  const [only, ...others] = predicate.values;
  if (others.length === 0 && only !== undefined) return (subject) => read(subject) === only;
  const values = setOf(predicate.values);
  return (subject) => values.has(read(subject));
}
