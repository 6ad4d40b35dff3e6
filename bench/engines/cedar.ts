import {
  preparsePolicySet,
  type StatefulAuthorizationCall,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import { ASKED, RULES, type Rule } from '../policy-rules.ts';
import type { Engine } from './engine.ts';

/** Cedar as its npm package has it: parsed once, and each request handed over as an object. It has no dry-run: these rules are left out. */
export function cedarEngine(): Engine {
  const enforced = RULES.filter(({ mode }) => mode === 'enforce');
  const staticPolicies = Object.fromEntries(enforced.map((rule) => [rule.name, policyOf(rule)]));
  const parsed = preparsePolicySet('bench', { staticPolicies });
  if (parsed.type === 'failure') throw new Error(JSON.stringify(parsed.errors));
  const calls = ASKED.map(
    ({ caller, method, path }): StatefulAuthorizationCall => ({
      principal: { type: 'Caller', id: caller },
      action: { type: 'Action', id: method },
      resource: { type: 'Service', id: 'orders' },
      context: { path },
      entities: [],
      preparsedPolicySetId: 'bench',
    }),
  );
  return {
    allows(index) {
      const answer = statefulIsAuthorized(calls[index]!);
      if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
      return answer.response.decision === 'allow';
    },
  };
}

function policyOf({ effect, callers, methods, path: { is, starts, oneBelow } }: Rule): string {
  const text = JSON.stringify;
  const entities = (type: string, ids: readonly string[]) =>
    ids.map((id) => `${type}::${text(id)}`).join(', ');
  const action = methods === undefined ? 'action' : `action in [${entities('Action', methods)}]`;
  const all = [
    callers && `[${entities('Caller', callers)}].contains(principal)`,
    is && `context.path == ${text(is)}`,
    starts && `(context.path == ${text(starts)} || context.path like ${text(`${starts}/*`)})`,
    oneBelow && `context.path like ${text(`${oneBelow}/*`)}`,
    oneBelow && `!(context.path like ${text(`${oneBelow}/*/*`)})`,
    oneBelow && `context.path != ${text(`${oneBelow}/`)}`,
  ];
  const when = all.filter((each) => each !== undefined).join(' && ');
  return `${effect === 'allow' ? 'permit' : 'forbid'}(principal, ${action}, resource) when { ${when} };`;
}
