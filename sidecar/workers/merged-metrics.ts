/** What workers tell, by their numbers, as one Prometheus text: each sample with the label `worker`. Lines that are none are left out. */
export function mergedMetrics(texts: ReadonlyMap<number, string>): string {
  const families = new Map<string, Family>();
  for (const [worker, text] of texts) {
    let family: Family | undefined;
    for (const line of text.split('\n')) {
      const [, keyword, name = '', rest = ''] = COMMENT.exec(line) ?? [];
      if (keyword === undefined) {
        const sample = family && labelled(line, worker);
        if (sample !== undefined) family?.samples.push(sample);
        continue;
      }
      family = families.get(name) ?? { help: '', type: '', samples: [] };
      families.set(name, family);
      if (keyword === 'HELP') family.help = rest;
      else family.type = rest;
    }
  }
  return [...families]
    .map(([name, { help, type, samples }]) =>
      [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples, ''].join('\n'),
    )
    .join('');
}

type Family = { help: string; type: string; readonly samples: string[] };

const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/;
/** A name, labels or none, a value. The value of a label may hold anything but its own quote, unescaped. */
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"{}]*"(?:[^"\\]|\\.)*")+)\})? (\S+)$/;

function labelled(line: string, worker: number): string | undefined {
  const [, name, labels, value] = SAMPLE.exec(line) ?? [];
  if (name === undefined) return undefined;
  return `${name}{worker="${worker}"${labels === undefined ? '' : `,${labels}`}} ${value}`;
}
