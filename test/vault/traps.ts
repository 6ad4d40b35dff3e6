import assert from 'node:assert/strict';
import { expectOk, type Lab } from './lab.ts';

/** Something set wrong, by which doctor has to know it. */
export type Trap = {
  readonly what: string;
  /** Sets it wrong, as root. */
  readonly spoil: (lab: Lab) => Promise<unknown>;
  /** The ids of the findings, all of them. */
  readonly names: readonly string[];
  /** Puts it right where `apply` does not. */
  readonly mend?: (lab: Lab) => Promise<unknown>;
};

export const post = (path: string, body: object) => (lab: Lab) =>
  expectOk(lab.vault.request('POST', path, body));
export const remove = (path: string) => (lab: Lab) => expectOk(lab.vault.request('DELETE', path));

/** One test to a trap: doctor names it and nothing else, and finds nothing once it is put right. */
export function itNames(traps: readonly Trap[], lab: () => Lab): void {
  for (const { what, spoil, names, mend } of traps) {
    it(what, async () => {
      await spoil(lab());
      const { findings } = await lab().examine();
      assert.deepEqual(
        findings.map(({ id }) => id).sort(),
        [...names].sort(),
        JSON.stringify(findings, null, 1),
      );
      for (const { setting, allows, fix } of findings) {
        for (const text of [setting, allows, fix]) assert.notEqual(text, '');
      }
      await (mend ?? (() => lab().apply()))(lab());
      assert.deepEqual((await lab().examine()).findings, []);
    });
  }
}

/** Takes a registered entry away, both parts of it. */
export function unregister(name: string) {
  return async (lab: Lab) => {
    await remove(`auth/token/roles/signet-acme.shop_${name}`)(lab);
    await remove(`signet/metadata/entries/acme.shop/${name}`)(lab);
  };
}
