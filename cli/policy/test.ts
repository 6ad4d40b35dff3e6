import { dirname, join } from 'node:path';
import { Command } from 'commander';
import {
  compilePolicies,
  defectText,
  type PolicyDocument,
  PolicyError,
  readPolicies,
} from '../../lib/policy/index.ts';
import { Coverage, type Failure, parseSuite, runSuite, type Suite } from '../../lib/policy/suite/index.ts';
import { parsed, print, printJson, readInput, wrongUsage } from '../input.ts';
import { counted, filesAt, filesIn, isPolicyFile, isSuiteFile, readSources, targetOf } from './files.ts';

export function testCommand(): Command {
  return new Command('test')
    .description('judge the requests of suites and compare; exit status 1 if any comes out otherwise')
    .argument('<path...>', 'suites (*.test.json), and folders of suites and policies')
    .option('--policy <file...>', 'judge by these policies instead of those beside each suite')
    .option('--coverage <percent>', 'fail when fewer of the rules have decided a case, or hit one in dry-run')
    .option('--json', 'print one JSON object')
    .action(test);
}

type Options = { readonly policy?: string[]; readonly coverage?: string; readonly json?: true };

async function test(paths: string[], options: Options, command: Command): Promise<void> {
  const least = leastCoverage(options.coverage, command);
  const run = new Run(options.policy ?? null, command);
  try {
    for (const file of paths.flatMap((path) => filesAt(path, isSuiteFile, command))) await run.suite(file);
    await run.rest(paths);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    if (options.json) printJson({ ok: false, defects: error.defects });
    else for (const defect of error.defects) print(defectText(defect));
    process.exitCode = 1;
    return;
  }
  const ok = run.failures.length === 0 && run.coverage.percent >= least;
  if (options.json) printJson({ ok, ...run.report() });
  else run.print();
  if (!ok) process.exitCode = 1;
}

function leastCoverage(text: string | undefined, command: Command): number {
  return parsed(command, '--coverage', () => {
    const percent = Number(text ?? '0');
    if (!(percent >= 0 && percent <= 100)) throw new RangeError('a number from 0 to 100');
    return percent;
  });
}

/** Suites, one after the other, and what they add up to. */
class Run {
  readonly coverage = new Coverage();
  readonly failures: Failure[] = [];
  readonly #policies: readonly string[] | null;
  readonly #command: Command;
  readonly #lines: string[] = [];
  readonly #seen = new Set<string>();
  #passed = 0;

  constructor(policies: readonly string[] | null, command: Command) {
    this.#policies = policies;
    this.#command = command;
  }

  async suite(file: string): Promise<void> {
    const suite = parseSuite({ file, text: (await readInput(file, this.#command)).toString() });
    const documents = await this.#read(this.#policies ?? this.#policiesOf(suite));
    const target = suite.target ?? targetOf(documents, undefined, this.#command);
    const { passed, failures } = runSuite(suite, compilePolicies(documents, target), this.coverage);
    this.#passed += passed;
    this.failures.push(...failures);
    this.#lines.push(`${file}: ${passed} passed, ${failures.length} failed`);
  }

  /** Policies in the folders that no suite asked about: their rules are not covered. */
  async rest(paths: readonly string[]): Promise<void> {
    if (this.#policies !== null) return;
    for (const path of paths) {
      const files = filesIn(path, isPolicyFile).filter((file) => !this.#seen.has(file));
      for (const folder of new Set(files.map((file) => dirname(file))))
        await this.#read(files.filter((file) => dirname(file) === folder));
    }
  }

  report(): object {
    const { rules, percent, uncovered } = this.coverage;
    const counts = { passed: this.#passed, failed: this.failures.length };
    return { ...counts, failures: this.failures, coverage: { rules, percent, uncovered } };
  }

  print(): void {
    for (const { file, pointer, what, differences, explanation } of this.failures)
      print([`FAILED ${file}#${pointer}: ${what}`, ...differences, ...explanation.split('\n')].join('\n  '));
    for (const line of this.#lines) print(line);
    const { rules, uncovered, percent } = this.coverage;
    for (const { target, rule } of uncovered) print(`not covered: ${rule} of ${target}`);
    print(
      `${this.#passed} passed, ${this.failures.length} failed, ${percent} % of ${counted(rules, 'rule')} covered`,
    );
  }

  #policiesOf({ file, policies }: Suite): readonly string[] {
    if (policies !== null) return policies.map((policy) => join(dirname(file), policy));
    const beside = filesIn(dirname(file), isPolicyFile).filter(
      (policy) => dirname(policy) === dirname(join(file)),
    );
    return beside.length > 0 ? beside : wrongUsage(this.#command, `no policy file is beside ${file}`);
  }

  async #read(files: readonly string[]): Promise<PolicyDocument[]> {
    const sources = await readSources(files, this.#command);
    for (const { file } of sources) this.#seen.add(file);
    const documents = await readPolicies(sources);
    this.coverage.expect(documents);
    return documents;
  }
}
