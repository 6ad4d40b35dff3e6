import type { Challenge } from '../../lib/policy/index.ts';
import type { Problem } from '../http1/index.ts';
import { Refused } from '../relay/index.ts';

/** A refusal that says how to do better: RFC 9470 §3 for how and when the user was authenticated, RFC 6750 §3 for the token's scope. */
export function challenged(problem: Problem, challenge: Challenge): Refused {
  if ('scope' in challenge) {
    const { scope } = challenge;
    const refused = { ...problem, status: 403, code: 'insufficient_scope', scope };
    return new Refused(refused, false, [['www-authenticate', bearer('insufficient_scope', { scope })]]);
  }
  const { acr_values, max_age } = challenge;
  const wanted = {
    ...(acr_values === undefined ? {} : { acr_values: acr_values.join(' ') }),
    ...(max_age === undefined ? {} : { max_age: String(max_age) }),
  };
  const refused = { ...problem, status: 401, code: 'insufficient_user_authentication', ...challenge };
  return new Refused(refused, false, [
    ['www-authenticate', bearer('insufficient_user_authentication', wanted)],
  ]);
}

/** Values are of characters that stand in a quoted string as they are; the parser of policies sees to it. */
function bearer(error: string, parameters: Readonly<Record<string, string>>): string {
  const all = { error, ...parameters };
  return `Bearer ${Object.entries(all)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`;
}
