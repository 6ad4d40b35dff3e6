import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

const { Base, Spec } = Mocha.reporters;

// Node has read it by now. Left there, it would have every Node that a test starts take its coverage too, and write files
// of which the test knows nothing: their speed and their writes are part of what is tested.
delete process.env['NODE_V8_COVERAGE'];

/** @typedef {{ passed: number, failed: number }} Counts */
/** `suites` are the outermost ones, by title. @typedef {Counts & { skipped: string[], suites: Record<string, Counts> }} Tally */

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
    const tally = { passed: 0, failed: 0, skipped: [], suites: {} };
    /** @param {Mocha.Runnable} test @param {keyof Counts} outcome */
    const count = (test, outcome) => {
      tally[outcome]++;
      const suite = (tally.suites[test.titlePath()[0] ?? ''] ??= { passed: 0, failed: 0 });
      suite[outcome]++;
    };
    runner.on('pass', (test) => count(test, 'passed'));
    runner.on('fail', (test) => count(test, 'failed'));
    runner.on('pending', (test) => tally.skipped.push(test.fullTitle()));
    runner.once('end', () => writeFileSync(file, JSON.stringify(tally)));
  }
}
