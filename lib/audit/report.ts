export type FindingKind =
  | 'edited'
  | 'dropped'
  | 'reordered'
  | 'duplicated'
  | 'cut_off'
  | 'bad_signature'
  | 'bad_certificate'
  | 'signer_changed'
  | 'unsigned'
  | 'empty';

/** `line` counts from 1; it is the line to look at. */
export type Finding = { readonly kind: FindingKind; readonly line: number; readonly message: string };

export type AuditReport = {
  readonly ok: boolean;
  readonly records: number;
  /** Signed records whose signature verified. */
  readonly signed: number;
  /** The SPIFFE IDs that signed. More than one is a finding. */
  readonly signers: readonly string[];
  /** Whether signers were checked against a bundle. If not, whoever rewrote the file may have signed it too. */
  readonly anchored: boolean;
  /** `closed`: ends with a signed stop. `open`: goes on, or was cut after the last signed record: an expected head tells which. */
  readonly end: 'closed' | 'open';
  /** The number of the last signed record, and how many unsigned ones follow. */
  readonly lastSigned: number | null;
  readonly unsignedTail: number;
  /** Lines that a crash had cut off and the next start recorded. */
  readonly recovered: number;
  /** Hex SHA-256 of the last line: to be kept elsewhere, and expected the next time. */
  readonly head: string | null;
  /** At most 100; `findingCount` counts them all. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
};

/** A report in one line. */
export function reportText(report: AuditReport): string {
  const { records, signed, signers, findingCount, findings } = report;
  if (!report.ok) {
    const first = findings[0];
    const more = findingCount > 1 ? ` (and ${findingCount - 1} more)` : '';
    return `${counted(records, 'record')}, not verified: line ${first?.line}: ${first?.kind}: ${first?.message}${more}`;
  }
  const by = report.anchored ? signers.join(', ') : `${signers.join(', ')} (not checked, no bundle given)`;
  const crash = report.recovered > 0 ? `, ${counted(report.recovered, 'line')} cut off by a crash` : '';
  return `${counted(records, 'record')} verified, ${counted(signed, 'signature')} by ${by}, ${endText(report)}${crash}`;
}

function endText({ end, lastSigned, unsignedTail }: AuditReport): string {
  if (end === 'closed') return 'ends with a signed stop';
  const tail = unsignedTail > 0 ? `, ${unsignedTail} not yet signed` : '';
  return `ends at checkpoint ${lastSigned}, open${tail}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
