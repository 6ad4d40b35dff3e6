import { readFile, writeFile } from 'node:fs/promises';

/** What the API server's audit log holds of one call. */
export interface AuditEvent {
  /** `system:serviceaccount:signet:signet-broker`. */
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly group: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uri: string;
  /** What it was answered with: 200, 403. */
  readonly status: number;
}

/** Every call with an answer, at level Metadata, but not what the API server asks of itself. */
export async function writeAuditPolicy(file: string): Promise<void> {
  await writeFile(
    file,
    JSON.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      omitStages: ['RequestReceived'],
      rules: [{ level: 'None', users: ['system:apiserver'] }, { level: 'Metadata' }],
    }),
  );
}

/** The calls so far; a long watch stands there from its start on. */
export async function readAudit(file: string): Promise<AuditEvent[]> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  lines.pop(); // empty, or a line that is still being written
  return lines.map((line) => eventOf(JSON.parse(line)));
}

// biome-ignore lint/suspicious/noExplicitAny: an audit.k8s.io/v1 Event
function eventOf(line: any): AuditEvent {
  const { resource = '', subresource, apiGroup = '', namespace, name } = line.objectRef ?? {};
  return {
    user: line.user?.username ?? '',
    verb: line.verb,
    resource,
    group: apiGroup,
    uri: line.requestURI,
    status: line.responseStatus?.code ?? 0,
    ...(subresource === undefined ? {} : { subresource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
}
