import { matchesPattern } from '../spiffe/index.ts';
import { ANONYMOUS, type Caller } from './caller.ts';
import type { Condition, Predicate } from './document.ts';
import { matchesTemplate, startsWith } from './path.ts';

/** A request, with the caller's text taken once. */
export type Subject = {
  readonly caller: Caller;
  readonly callerText: string;
  readonly method: string;
  readonly path: string;
};

export type Matcher = (subject: Subject) => boolean;

/** A condition as a function. */
export function matcherOf(condition: Condition): Matcher {
  switch (condition.kind) {
    case 'predicate':
      return predicateMatcher(condition);
    case 'not': {
      const inner = matcherOf(condition.of);
      return (subject) => !inner(subject);
    }
    case 'all': {
      const matchers = condition.of.map(matcherOf);
      return (subject) => {
        for (const matches of matchers) if (!matches(subject)) return false;
        return true;
      };
    }
    case 'any': {
      const matchers = condition.of.map(matcherOf);
      return (subject) => {
        for (const matches of matchers) if (matches(subject)) return true;
        return false;
      };
    }
  }
}

/** What the request has for an attribute: nothing, which is equal to no operand, for the trust domain of nobody. */
export function attributeOf(attribute: Predicate['attribute'], subject: Subject): string {
  switch (attribute) {
    case 'caller':
      return subject.callerText;
    case 'caller.trust_domain':
      return subject.caller === ANONYMOUS ? '' : subject.caller.trustDomain;
    case 'method':
      return subject.method;
    case 'path':
      return subject.path;
  }
}

export function predicateMatcher(predicate: Predicate): Matcher {
  const { attribute } = predicate;
  switch (predicate.operator) {
    case 'is':
    case 'in': {
      if (predicate.values.length === 1) {
        const [value] = predicate.values;
        return (subject) => attributeOf(attribute, subject) === value;
      }
      const values = new Set(predicate.values);
      return (subject) => values.has(attributeOf(attribute, subject));
    }
    case 'starts': {
      const { prefix } = predicate;
      return (subject) => startsWith(subject.path, prefix);
    }
    case 'like': {
      if (predicate.attribute === 'path') {
        const { template } = predicate;
        return (subject) => matchesTemplate(template, subject.path);
      }
      const { pattern } = predicate;
      return ({ caller }) => caller !== ANONYMOUS && matchesPattern(pattern, caller);
    }
  }
}
