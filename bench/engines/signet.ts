import { compilePolicies, evaluate, type PolicyRequest, parsePolicies } from '../../lib/policy/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { ASKED, RULES, type Rule, TARGET } from '../policy-rules.ts';
import type { Engine } from './engine.ts';

export function signetEngine(): Engine {
  const text = JSON.stringify(RULES.map(documentOf));
  const policy = compilePolicies(parsePolicies([{ file: 'bench', text }]), parseSpiffeId(TARGET));
  const requests = ASKED.map(
    ({ caller, method, path }): PolicyRequest => ({ caller: parseSpiffeId(caller), method, path }),
  );
  return { allows: (index) => evaluate(policy, requests[index]!).effect === 'allow' };
}

function documentOf({ name, effect, mode, callers, namespace, methods, path }: Rule): object {
  const { is, starts, oneBelow } = path;
  const all = [
    callers && { caller: { in: callers } },
    namespace && { caller: { like: `spiffe://example.org/ns/${namespace}/**` } },
    methods && { method: { in: methods } },
    is && { path: { is } },
    starts && { path: { starts } },
    oneBelow && { path: { like: `${oneBelow}/{id}` } },
  ];
  const level = effect === 'allow' ? 'application' : 'business-unit';
  return {
    name,
    level,
    target: TARGET,
    effect,
    mode,
    when: { all: all.filter((each) => each !== undefined) },
  };
}
