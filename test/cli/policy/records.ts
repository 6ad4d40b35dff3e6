import { createChain } from '../../../lib/audit/index.ts';

export const TARGET = 'spiffe://example.org/ns/shop/sa/orders';
export const WEB = 'spiffe://example.org/ns/shop/sa/web';

/** An audit log of decisions; what a field is not given is as of a plain allowed GET by `WEB`. */
export function logOf(decisions: readonly Readonly<Record<string, unknown>>[]): string {
  const chain = createChain();
  const now = new Date('2026-03-02T10:00:00Z');
  const lines = decisions.map((fields, i) => {
    const event = {
      ...{
        type: 'decision',
        id: `run-${i.toString(36)}`,
        effect: 'allow',
        rule: 'read',
        level: 'application',
      },
      ...{ caller: WEB, serial: '01', method: 'GET', path: '/orders/7', policy: 'other', ...fields },
    };
    return chain.append(event, now).line;
  });
  return lines.join('');
}
