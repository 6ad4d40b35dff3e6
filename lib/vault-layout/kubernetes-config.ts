import { SignetError } from '../errors.ts';
import type { Secret } from '../secret.ts';
import type { Actual } from './actual.ts';
import { bodyOf, differences, kubernetesConfig, REVIEWER_SET } from './desired/index.ts';
import type { Layout } from './layout.ts';
import type { PlannedChange } from './plan.ts';

/**
 * Whom Vault asks about tokens, and in whose name. The reviewer's token is in no layout and is never read back, so it is written when
 * it is given; and since each write without it makes Vault forget it, none is made.
 * @throws SignetError `LAYOUT_CONFLICT` when a write needs the token and there is none
 */
export function kubernetesConfigChanges(
  actual: Actual,
  layout: Layout,
  reviewer: Secret | undefined,
): PlannedChange[] {
  return kubernetesConfig(layout).flatMap(({ id, path, settings }) => {
    const found = actual.resources.get(id);
    const differing = differences({ settings }, found ?? {}).map(({ setting }) => setting.name);
    const needed = layout.kubernetes?.cluster?.caCert !== '';
    if (!needed && reviewer !== undefined) {
      throw new SignetError(
        'LAYOUT_CONFLICT',
        `${path} has no use for a reviewer's token: without the API server's authorities, Vault is in the cluster and asks in its own name`,
      );
    }
    if (differing.length === 0 && reviewer === undefined) return [];
    if (needed && reviewer === undefined) {
      throw new SignetError(
        'LAYOUT_CONFLICT',
        `${path} is written anew (${differing.join(', ')}), and Vault then has no reviewer's token: give it with --kubernetes-reviewer`,
      );
    }
    const body = bodyOf(settings.filter(({ name }) => name !== REVIEWER_SET));
    return [
      {
        kind: found === undefined ? 'create' : 'change',
        summary:
          found === undefined
            ? path
            : `${path}: ${[...differing, ...(reviewer ? ["the reviewer's token"] : [])].join(', ')}`,
        make: async (vault) =>
          void (await vault.request('POST', path, {
            ...body,
            ...(reviewer === undefined ? {} : { token_reviewer_jwt: reviewer.reveal() }),
          })),
      },
    ];
  });
}
