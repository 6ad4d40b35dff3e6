import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

const { Base, Spec } = Mocha.reporters;

// Node has read it by now. Left there, it would have every Node that a test starts take its coverage too, and write files
// of which the test knows nothing: their speed and their writes are part of what is tested.
delete process.env['NODE_V8_COVERAGE'];

/** @typedef {{ passed: number, failed: number, skipped: string[] }} Tally */

/** Says nothing but what failed. */
class OnlyFailures extends Base {
  /** @param {Mocha.Runner} runner @param {Mocha.MochaOptions} options */
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => this.failures.length > 0 && Base.list(this.failures));
  }
}

/** A Mocha reporter for test/run.mjs: it writes the counts to the file `tally`, beside what a person reads. */
export default class TallyReporter extends Base {
  /** @param {Mocha.Runner} runner @param {Mocha.MochaOptions} options */
  constructor(runner, options) {
    super(runner, options);
    const { tally: file, quiet } = options.reporterOptions;
    new (quiet ? OnlyFailures : Spec)(runner, options);
    /** @type {Tally} */
    const tally = { passed: 0, failed: 0, skipped: [] };
    runner.on('pass', () => tally.passed++);
    runner.on('fail', () => tally.failed++);
    runner.on('pending', (test) => tally.skipped.push(test.fullTitle()));
    runner.once('end', () => writeFileSync(file, JSON.stringify(tally)));
  }
}
