import assert from 'node:assert/strict';
import { signet } from './signet.ts';

const SET = JSON.stringify({
  ...{ name: 'a', level: 'application', target: 'spiffe://example.org/a', effect: 'allow', mode: 'enforce' },
  when: { method: { is: 'GET' } },
});

describe('signet policy publish, rollback, status; signet deny', () => {
  for (const [what, args, input, status, told] of [
    [
      'a set that is not understood',
      ['policy', 'publish', '-'],
      SET.replace('GET', 'get'),
      1,
      /#\/when\/method\/is/,
    ],
    [
      'no token and no address',
      ['policy', 'publish', '-'],
      SET,
      2,
      /VAULT_ADDR is missing[\s\S]*VAULT_TOKEN/,
    ],
    [
      'a version that is none',
      ['policy', 'publish', '-', '--above', '-1'],
      SET,
      2,
      /--above: is not a version/,
    ],
    [
      'a token and policies in one standard input',
      ['policy', 'publish', '-', '--token-stdin'],
      SET,
      2,
      /--token-stdin: standard input holds the token/,
    ],
    ['a file that is not there', ['policy', 'publish', 'none.json'], '', 2, /cannot read none\.json/],
    ['a rollback to no version', ['policy', 'rollback', 'last'], '', 2, /version: is not a version/],
    ['a status of no broker', ['policy', 'status'], '', 2, /SIGNET_BROKER_URL is missing/],
    ['a denial of what is neither', ['deny', 'add', 'orders'], '', 2, /neither a SPIFFE ID nor a serial/],
    ['a denial of a pattern', ['deny', 'add', 'spiffe://example.org/ns/*'], '', 2, /bad path segment/],
    [
      "a denial of Signet's own",
      ['deny', 'add', 'spiffe://example.org/signet/broker'],
      '',
      2,
      /Signet's own/,
    ],
    ['a denial of nothing', ['deny', 'add'], '', 2, /missing required argument/],
  ] as [string, string[], string, number, RegExp][]) {
    it(`refuses ${what}, exit ${status}`, async () => {
      const ran = await signet(args, { input });
      assert.equal(ran.status, status, ran.stderr);
      assert.match(ran.stdout + ran.stderr, told);
    });
  }
});
