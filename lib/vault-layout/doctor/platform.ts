import type { Finding, Report } from './finding.ts';
import type { Surroundings } from './surroundings.ts';

const OLDEST_VAULT = [1, 19] as const;

/** Versions and the audit log. */
export function platformReport(
  around: Surroundings,
  nodeVersion: string,
  unread: ReadonlySet<string>,
): Report {
  const findings: Finding[] = [];
  const warnings: Finding[] = [];
  const [major = 0, minor = 0] = around.version.split('.').map(Number);
  if (major < OLDEST_VAULT[0] || (major === OLDEST_VAULT[0] && minor < OLDEST_VAULT[1])) {
    findings.push({
      id: 'vault.version',
      setting: `Vault is ${around.version || 'of an unknown version'}, older than ${OLDEST_VAULT.join('.')}`,
      allows: 'its ACL compares lists and wrapping otherwise than the policies count on',
      fix: 'upgrade Vault',
    });
  }
  if (around.auditDevices === 0 && !unread.has('sys/audit')) {
    warnings.push({
      id: 'vault.audit',
      setting: 'Vault has no audit device',
      allows: 'whoever misuses a token leaves no trace',
      fix: 'enable one: vault audit enable file file_path=/var/log/vault/audit.log',
    });
  }
  if (isVulnerableNode(nodeVersion)) {
    warnings.push({
      id: 'node.version',
      setting: `this runs on Node ${nodeVersion}`,
      allows: "known flaws in Node's TLS, HTTP/2 and agent code, mended in 24.22.3 and 26.13.1",
      fix: 'upgrade Node',
    });
  }
  return { findings, warnings };
}

/** Below 24.22.3, or of 25, or of 26 below 26.13.1. */
function isVulnerableNode(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.replace(/^v/, '').split('.').map(Number);
  const least: readonly [number, number] | undefined =
    major === 24 ? [22, 3] : major === 26 ? [13, 1] : undefined;
  if (least === undefined) return major < 26;
  return minor < least[0] || (minor === least[0] && patch < least[1]);
}
