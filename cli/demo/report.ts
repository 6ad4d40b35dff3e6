/** How the demo speaks: colour and a table on a terminal, plain lines in a pipe. */
export interface Report {
  /** Something that was shown: what, and the facts that prove it. */
  scene(title: string, facts: string): void;
  note(text: string): void;
  table(rows: readonly (readonly string[])[]): void;
}

export function createReport(out: NodeJS.WriteStream): Report {
  const colour = out.isTTY === true && process.env['NO_COLOR'] === undefined;
  const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const line = (text: string) => void out.write(`${text}\n`);
  return {
    scene: (title, facts) =>
      line(
        `${paint(32, colour ? '✔' : 'ok')} ${paint(1, title.padEnd(colour ? 26 : 0))}${colour ? ' ' : ': '}${facts}`,
      ),
    note: (text) => line(paint(2, text)),
    table(rows) {
      if (!colour) {
        for (const row of rows) line(row.join(' '));
        return;
      }
      const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length))) ?? [];
      const rule = (left: string, mid: string, right: string) =>
        line(left + widths.map((w) => '─'.repeat(w + 2)).join(mid) + right);
      rule('┌', '┬', '┐');
      for (const [at, row] of rows.entries()) {
        line(
          `│${row.map((cell, i) => ` ${at === 0 ? paint(1, cell.padEnd(widths[i]!)) : cell.padEnd(widths[i]!)} `).join('│')}│`,
        );
        if (at === 0) rule('├', '┼', '┤');
      }
      rule('└', '┴', '┘');
    },
  };
}
