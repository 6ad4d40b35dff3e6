import assert from 'node:assert/strict';

/** Skips a test that drives a program which is not on this machine; where everything has to be there, fails it. */
export function leaveOut(test: Mocha.Context, programs: Readonly<Record<string, string | undefined>>): void {
  for (const [name, program] of Object.entries(programs)) {
    if (program !== undefined) continue;
    assert.notEqual(process.env['CI'], 'true', `${name} is not on this machine`);
    console.log(`${name} is not on this machine: left out`);
    test.skip();
  }
}
