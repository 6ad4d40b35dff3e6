import { type Finding, finding, named } from './finding.ts';
import { AUDIENCE } from './names.ts';
import { type Snapshot, seenOf } from './snapshot.ts';

/** From here on native sidecars need no feature gate. */
const OLDEST = [1, 29] as const;

/** Versions of API server and kubelets, native sidecars, tokens for our audience. */
export function platformFindings(snapshot: Snapshot): Finding[] {
  const findings: Finding[] = [];
  const version = seenOf(snapshot.version);
  const old = `older than ${OLDEST.join('.')}`;
  const breaks =
    'a sidecar is no native one there: an app starts before its SVID is had, and a Job never ends';
  if (version !== undefined && isOld(version)) {
    findings.push(
      finding('server.version', `the API server is ${version}, ${old}`, breaks, 'upgrade the cluster'),
    );
  }
  const late = (seenOf(snapshot.nodes) ?? []).filter(({ status }) =>
    isOld(status?.nodeInfo?.kubeletVersion ?? ''),
  );
  if (late.length > 0) {
    const names = late.map((node) => `${node.metadata?.name} (${node.status?.nodeInfo?.kubeletVersion})`);
    findings.push(
      finding('node.version', `kubelets of ${named(names)} are ${old}`, breaks, 'upgrade these nodes'),
    );
  }
  if (seenOf(snapshot.nativeSidecars) === false) {
    findings.push(
      finding(
        'server.native-sidecars',
        'the API server drops restartPolicy of an init container: its feature gate SidecarContainers is off',
        breaks,
        'turn the gate on, at the API server and the kubelets, or upgrade',
      ),
    );
  }
  const audiences = seenOf(snapshot.audiences);
  if (audiences !== undefined && !(audiences.length === 1 && audiences[0] === AUDIENCE)) {
    findings.push(
      finding(
        'server.token-audience',
        `a token asked for the audience ${AUDIENCE} has the audiences ${named(audiences) || 'none'}`,
        'no pod proves who it is; or its token is taken elsewhere as well',
        'let the API server answer TokenRequest as it does by default (no proxy or webhook in between)',
      ),
    );
  }
  return findings;
}

/** What cannot be read counts as old. */
function isOld(version: string): boolean {
  const [, major = 0, minor = 0] = (/^v?(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}
