export type FindingKind =
  | 'edited'
  | 'dropped'
  | 'reordered'
  | 'duplicated'
  | 'foreign'
  | 'missing_file'
  | 'misnamed_file'
  | 'cut_off'
  | 'bad_signature'
  | 'bad_certificate'
  | 'signer_changed'
  | 'bad_countersignature'
  | 'unsigned'
  | 'empty';

/** Where a line stands: `order` counts files from 0 as they were begun, `line` counts from 1. `file` is null for a stream without a name. */
export type Place = { readonly file: string | null; readonly order: number; readonly line: number };

/** `line` is the line to look at, `seq` the number of its record where it has one. */
export type Finding = {
  readonly kind: FindingKind;
  readonly file: string | null;
  readonly line: number;
  readonly seq: number | null;
  readonly message: string;
};

export type Range = { readonly from: number; readonly to: number };

/** What is said of one log: a chain of records, in one file or several. */
export type LogReport = {
  /** The name that it gave itself at its start. Null for one that has none. */
  readonly log: string | null;
  readonly records: number;
  /** Signed records whose signature verified. */
  readonly signed: number;
  /** The SPIFFE IDs that signed. More than one is a finding. */
  readonly signers: readonly string[];
  /**
   * `closed`: ends with a signed stop. `rotated`: ends with the end of a file, and the next is not here or was never begun. `open`: goes on,
   * or was cut after the last signed record. An expected head or a countersignature tells which.
   */
  readonly end: 'closed' | 'rotated' | 'open';
  /** The number of the last signed record, and how many unsigned ones follow. */
  readonly lastSigned: number | null;
  readonly unsignedTail: number;
  /** Lines that a crash had cut off and the next start recorded. */
  readonly recovered: number;
  /** Records that this copy never had, as the log itself says: at most 100 ranges. */
  readonly admitted: readonly Range[];
  readonly admittedRecords: number;
  /** Records at its beginning whose files were deleted by the bound that was set, as the log itself says. */
  readonly removed: number;
  /** The last record that a broker countersigned, and when; null without keys. `count`: countersignatures that agree with the log. */
  readonly countersigned: { readonly seq: number; readonly time: string; readonly count: number } | null;
  /** Hex SHA-256 of the last line: to be kept elsewhere, and expected the next time. */
  readonly head: string | null;
};

/** Of all logs together; `logs` has each. Of several, `head`, `lastSigned` and `countersigned` are the last one's. */
export type AuditReport = Omit<LogReport, 'log' | 'admitted'> & {
  readonly ok: boolean;
  /** Whether signers were checked against a bundle. If not, whoever rewrote the file may have signed it too. */
  readonly anchored: boolean;
  readonly logs: readonly LogReport[];
  /** At most 100; `findingCount` counts them all. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
};

/** Of all logs together. */
export function summary(logs: readonly LogReport[]): Omit<LogReport, 'log' | 'admitted'> {
  const last = logs.at(-1);
  const sum = (of: (log: LogReport) => number) => logs.reduce((total, log) => total + of(log), 0);
  return {
    records: sum((log) => log.records),
    signed: sum((log) => log.signed),
    signers: [...new Set(logs.flatMap((log) => log.signers))],
    end: logs.find((log) => log.end !== 'closed')?.end ?? (last === undefined ? 'open' : 'closed'),
    lastSigned: last?.lastSigned ?? null,
    unsignedTail: sum((log) => log.unsignedTail),
    recovered: sum((log) => log.recovered),
    admittedRecords: sum((log) => log.admittedRecords),
    removed: sum((log) => log.removed),
    countersigned: last?.countersigned ?? null,
    head: last?.head ?? null,
  };
}

/** A report in one line. */
export function reportText(report: AuditReport): string {
  const { records, signed, signers, findingCount, findings, logs } = report;
  if (!report.ok) {
    const more = findingCount > 1 ? ` (and ${findingCount - 1} more)` : '';
    return `${counted(records, 'record')}, not verified: ${findingText(findings[0]!)}${more}`;
  }
  const by = report.anchored ? signers.join(', ') : `${signers.join(', ')} (not checked, no bundle given)`;
  const facts = [
    ...(logs.length > 1 ? [`in ${logs.length} logs`] : []),
    `${counted(signed, 'signature')} by ${by}`,
    logs.length === 1 ? endText(report) : endsText(logs),
    ...(report.recovered > 0 ? [`${counted(report.recovered, 'line')} cut off by a crash`] : []),
    ...(report.admittedRecords > 0
      ? [`${counted(report.admittedRecords, 'record')} not in this copy, as the log itself says`]
      : []),
    ...(report.removed > 0 ? [`the first ${counted(report.removed, 'record')} deleted by its bound`] : []),
    ...(logs.length === 1 && report.countersigned !== null
      ? [`countersigned up to record ${report.countersigned.seq} at ${report.countersigned.time}`]
      : []),
  ];
  return `${counted(records, 'record')} verified, ${facts.join(', ')}`;
}

/** A finding in one line, the file in front where there are several. */
export function findingText({ kind, file, line, seq, message }: Finding): string {
  const number = seq === null ? '' : ` (record ${seq})`;
  return `${file === null ? '' : `${file} `}line ${line}${number}: ${kind}: ${message}`;
}

function endText({ end, lastSigned, unsignedTail }: AuditReport): string {
  if (end === 'closed') return 'ends with a signed stop';
  if (end === 'rotated') return `ends with a rotation at record ${lastSigned}, and the next file is not here`;
  const tail = unsignedTail > 0 ? `, ${unsignedTail} not yet signed` : '';
  return `ends at checkpoint ${lastSigned}, open${tail}`;
}

function endsText(logs: readonly LogReport[]): string {
  const open = logs.filter(({ end }) => end !== 'closed').length;
  return open === 0 ? 'all end with a signed stop' : `${open} of them open`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
