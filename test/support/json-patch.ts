import type { Operation } from '../../broker/admission/patch.ts';

/** A document after a JSON patch (RFC 6902), as far as `add`, `replace` and `remove`. @throws where a path leads nowhere */
export function applyPatch<T>(document: T, patch: readonly Operation[]): T {
  const root = structuredClone({ '': document });
  // what is applied belongs to the document from then on
  for (const operation of structuredClone(patch)) {
    const steps = operation.path.split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop() ?? '';
    // biome-ignore lint/suspicious/noExplicitAny: a document is walked as the JSON it is
    let at: any = steps.length === 0 ? undefined : root;
    for (const step of steps) {
      at = at[step];
      if (typeof at !== 'object' || at === null) throw new Error(`nothing at ${operation.path}`);
    }
    if (Array.isArray(at)) {
      const index = last === '-' ? at.length : Number(last);
      const there = operation.op === 'add' ? index <= at.length : index < at.length;
      if (!/^(-|0|[1-9]\d*)$/.test(last) || !there) throw new Error(`no place ${operation.path}`);
      if (operation.op === 'add') at.splice(index, 0, operation.value);
      else if (operation.op === 'remove') at.splice(index, 1);
      else at[index] = operation.value;
    } else {
      if (operation.op !== 'add' && !Object.hasOwn(at, last)) throw new Error(`nothing at ${operation.path}`);
      if (operation.op === 'remove') delete at[last];
      else at[last] = operation.value;
    }
  }
  return root[''];
}
