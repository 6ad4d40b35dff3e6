type Finding = {
  readonly id: string;
  readonly setting: string;
  readonly allows: string;
  readonly fix: string;
};

/** What a doctor found, for people: faults, then warnings, then how many of each. */
export function showReport(
  { findings, warnings }: { readonly findings: readonly Finding[]; readonly warnings: readonly Finding[] },
  print: (text: string) => void,
): void {
  for (const [mark, list] of [
    ['fault', findings],
    ['warning', warnings],
  ] as const) {
    for (const { id, setting, allows, fix } of list) {
      print(`${mark} ${id}\n  ${setting}\n  allows: ${allows}\n  fix: ${fix}\n`);
    }
  }
  print(
    `${findings.length === 0 ? 'no faults' : count(findings.length, 'fault')}, ${count(warnings.length, 'warning')}`,
  );
}

/** `1 fault`, `2 faults` */
export function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
