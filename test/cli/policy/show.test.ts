import assert from 'node:assert/strict';
import { signet } from '../signet.ts';
import { TARGET, WEB } from './records.ts';

const base = { level: 'application', target: TARGET, effect: 'allow', mode: 'enforce' };
const LONG = { caller: { in: [WEB, `${WEB}-2`, 'anonymous'] } };
const policies = [
  {
    ...base,
    name: 'read',
    when: {
      all: [
        { method: { in: ['GET', 'HEAD'] } },
        { any: [{ path: { like: '/a/{b}' } }, { not: { path: { starts: '/a,b' } } }] },
      ],
    },
  },
  { ...base, name: 'draft', mode: 'dry-run', when: { method: { is: 'PUT' } } },
  { ...base, name: 'no-delete', level: 'root', effect: 'deny', when: { method: { is: 'DELETE' } } },
  { ...base, name: 'long', target: WEB, when: { any: [{ not: LONG }, { path: { is: '/' } }] } },
];

describe('signet policy show', () => {
  it('rules by target and level, their conditions in one line where that fits', async () => {
    const ran = await signet(['policy', 'show', '-'], { input: JSON.stringify(policies) });
    assert.deepEqual(ran, {
      status: 0,
      stdout: [
        `${TARGET}: 3 rules, 1 in dry-run`,
        '  root',
        '    deny no-delete',
        '      method is DELETE',
        '  application',
        '    allow draft (dry-run)',
        '      method is PUT',
        '    allow read',
        '      method in [GET, HEAD] and (path like /a/{b} or not path starts "/a,b")',
        `${WEB}: 1 rule`,
        '  application',
        '    allow long',
        '      any of',
        '        not',
        `          caller in [${WEB}, ${WEB}-2, anonymous]`,
        '        path is /',
        '',
      ].join('\n'),
      stderr: '',
    });
  });

  it('of one target, and as JSON', async () => {
    const input = JSON.stringify(policies);
    const one = await signet(['policy', 'show', '-', '--target', WEB], { input });
    assert.match(one.stdout, new RegExp(`^${WEB}: 1 rule\n`));
    const { targets } = JSON.parse((await signet(['policy', 'show', '-', '--json'], { input })).stdout);
    assert.deepEqual(
      targets.map(({ target, rules }: { target: string; rules: { name: string }[] }) => [
        target,
        rules.map(({ name }) => name),
      ]),
      [
        [TARGET, ['no-delete', 'draft', 'read']],
        [WEB, ['long']],
      ],
    );
    const none = await signet(['policy', 'show', '-', '--target', `${WEB}-3`], { input });
    assert.deepEqual([none.status, none.stdout], [0, 'no rule\n']);
  });

  it('sets, relations, challenges and a rule for many services', async () => {
    const deny = {
      ...base,
      ...{ name: 'step-up', level: 'root', effect: 'deny', target: 'spiffe://example.org/ns/shop/**' },
      challenge: { acr_values: ['mfa'], max_age: 60 },
      when: {
        all: [
          { 'user.role': { has_any: '$admins' } },
          { relation: { owns: ['{user.subject}', '{header.x-thing}'] } },
          { time: { between: { from: '08:00', to: '18:00', zone: 'Europe/Berlin' } } },
        ],
      },
    };
    const set = { sets: { admins: ['admin', '$roots'], roots: ['root'] }, relations: { owns: { a: ['b'] } } };
    const input = JSON.stringify({ ...set, policies: [deny] });
    const ran = await signet(['policy', 'show', '-', '--target', TARGET], { input });
    assert.equal(
      ran.stdout,
      [
        'spiffe://example.org/ns/shop/**: 1 rule',
        '  root',
        '    deny step-up',
        '      all of',
        '        user.role has_any $admins',
        '        relation owns [{user.subject}, {header.x-thing}]',
        '        time between from 08:00 to 18:00 zone Europe/Berlin',
        '      challenge acr_values [mfa] max_age 60',
        'sets',
        '  admins [admin, $roots]',
        '  roots [root]',
        'relations',
        '  owns a [b]',
        '',
      ].join('\n'),
    );
    const json = JSON.parse((await signet(['policy', 'show', '-', '--json'], { input })).stdout);
    assert.deepEqual([json.sets, json.targets[0].rules[0].challenge], [set.sets, deny.challenge]);
  });
});
