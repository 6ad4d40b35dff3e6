import { isDeepStrictEqual } from 'node:util';
import { MOUNTS } from '../../grant/index.ts';
import { LAYOUT_PATH, readActual } from '../actual.ts';
import { type Layout, layoutDocument } from '../layout.ts';
import { POLICY_KEY } from '../policy-certificate.ts';
import type { VaultPort } from '../port.ts';
import { delegationReport, readDelegated } from './delegations.ts';
import { APPLY, type Finding, type Report } from './finding.ts';
import { issuerFindings } from './issuers.ts';
import { platformReport } from './platform.ts';
import { certificateReport } from './policy-certificate.ts';
import { reachWarnings, strangeRoles } from './reach.ts';
import { registrationFindings } from './registrations.ts';
import { policyFindings, settingFindings } from './settings.ts';
import { readSurroundings } from './surroundings.ts';

export type { Finding, Report } from './finding.ts';

export type Examination = {
  readonly now: Date;
  /** Of the program that runs it, as `process.versions.node` has it. */
  readonly nodeVersion: string;
};

/**
 * Holds a Vault against the layout: every setting, policy, CA, key, registration, and what else in it reaches into Signet. Only
 * reads. What the token may not read is a warning, not a fault and not a clean bill.
 * @throws whatever the port throws, but not found and denied
 */
export async function examineVault(
  vault: VaultPort,
  layout: Layout,
  { now, nodeVersion }: Examination,
): Promise<Report> {
  const unread = new Set<string>();
  const onDenied = (path: string) => void unread.add(path);
  const actual = await readActual(vault, layout, onDenied);
  const around = await readSurroundings(vault, layout, onDenied);
  const delegated = await readDelegated(vault, onDenied);
  const blind = (...starts: string[]) =>
    [...unread].some((path) => starts.some((start) => path.startsWith(start)));
  const reports: Report[] = [
    { findings: settingFindings(actual, layout, unread), warnings: [] },
    { findings: policyFindings(actual, layout, unread), warnings: [] },
    blind(`${MOUNTS.pki}/issuer`, `${MOUNTS.root}/issuer`) ? NONE : issuerFindings(actual, layout, now),
    blind(`${MOUNTS.pki}/issuer`, POLICY_KEY) ? NONE : certificateReport(actual, layout, now),
    blind(`${MOUNTS.kv}/metadata/`, `${MOUNTS.kv}/data/entries/`, 'auth/token/roles')
      ? NONE
      : registrationFindings(around, layout),
    blind(
      `${MOUNTS.kv}/metadata/delegations`,
      `${MOUNTS.kv}/data/delegations/`,
      'sys/auth',
      'auth/signet-jwt-',
    )
      ? NONE
      : delegationReport(delegated, actual.policies, around.entries, layout),
    { findings: strangeRoles(around, layout), warnings: reachWarnings(around) },
    platformReport(around, nodeVersion, unread),
    {
      findings: [],
      warnings: [...layoutWarning(actual.layout.document, layout, unread), ...unreadWarning(unread)],
    },
  ];
  return { findings: reports.flatMap((r) => r.findings), warnings: reports.flatMap((r) => r.warnings) };
}

const NONE: Report = { findings: [], warnings: [] };

function layoutWarning(kept: unknown, layout: Layout, unread: ReadonlySet<string>): Finding[] {
  if (unread.has(LAYOUT_PATH) || isDeepStrictEqual(kept, layoutDocument(layout))) return [];
  return [
    {
      id: 'layout.document',
      setting: `${LAYOUT_PATH} is not the layout that this was held against`,
      allows: 'doctor, run without a file, holds the Vault against another layout',
      fix: APPLY,
    },
  ];
}

function unreadWarning(unread: ReadonlySet<string>): Finding[] {
  if (unread.size === 0) return [];
  return [
    {
      id: 'doctor.unread',
      setting: `the token may not read ${[...unread].join(', ')}`,
      allows: 'what stands there was not judged',
      fix: 'run doctor with a token that has signet-admin',
    },
  ];
}
