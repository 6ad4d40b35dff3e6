// Renders kubernetes/manifests/signet.yaml from the chart, for those who install with kubectl alone.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from './commands.mjs';
import { helmBinary } from './kubernetes.mjs';
import { root } from './paths.mjs';

const room = join(root, 'kubernetes');
/** The oldest that the chart installs on. */
const KUBERNETES = '1.30.0';

/** What the chart makes of manifest-values.yaml. @throws {SetupError} */
export function renderManifests() {
  const helm = helmBinary();
  if (!helm) throw new SetupError('there is no Helm here yet: run `npm run setup test` first');
  const { stdout, stderr, status } = spawnSync(
    helm,
    [
      ...['template', 'signet', join(room, 'chart'), '--namespace', 'signet', '--kube-version', KUBERNETES],
      ...['--values', join(room, 'manifest-values.yaml')],
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new SetupError(stderr);
  return `# Rendered from the chart by setup/render-manifests.mjs.\n${stdout}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(room, 'manifests/signet.yaml'), renderManifests());
}
