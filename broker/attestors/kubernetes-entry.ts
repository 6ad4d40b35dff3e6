import type { Entry } from '../../lib/attestation/index.ts';
import type { Defect } from '../../lib/errors.ts';

export type EntryWorld = {
  /** How many clusters this broker knows. */
  readonly clusters: number;
  /** Annotations that may be selected by. */
  readonly annotations: readonly string[];
};

const PLAIN = ['cluster', 'verified', 'ns', 'sa', 'pod', 'uid', 'node', 'image'].map((name) => `k8s:${name}`);

/**
 * A pod's name, its labels, its annotations and its images are the word of whoever may write pods in some namespace, and a node is
 * shared: they say something only of a pod whose namespace is settled. It is settled by being pinned, by being part of the ID, so that each namespace
 * gets an ID of its own, or by the UID, which no other pod of the cluster will ever have. The cluster has to be settled likewise where
 * there are several, and no UID does that: an API server gives whichever it likes.
 */
export function entryDefects(
  { match, spiffe_id }: Entry,
  { clusters, annotations }: EntryWorld,
): readonly Defect[] {
  const defects: Defect[] = [];
  const flaw = (message: string, pointer = '/match') => void defects.push({ pointer, message });
  const settled = (key: string) => Object.hasOwn(match, key) || spiffe_id.includes(`{${key}}`);
  for (const key of Object.keys(match)) {
    const pointer = `/match/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (key.startsWith('k8s:annotation:')) {
      if (!annotations.includes(key.slice('k8s:annotation:'.length)))
        flaw('is not an annotation of SIGNET_KUBERNETES_ANNOTATIONS, so no pod shows it', pointer);
    } else if (!PLAIN.includes(key) && !key.startsWith('k8s:label:')) {
      flaw('is not a selector of Kubernetes', pointer);
    }
  }
  const { 'k8s:verified': verified = 'review', 'k8s:image': image = `sha256:${'0'.repeat(64)}` } = match;
  if (!['review', 'offline'].includes(verified)) flaw('is review or offline', '/match/k8s:verified');
  if (!/^sha256:[0-9a-f]{64}$/.test(image))
    flaw('is not a digest such as sha256:… in full', '/match/k8s:image');
  if (!settled('k8s:ns') && !Object.hasOwn(match, 'k8s:uid'))
    flaw('settles neither k8s:ns nor k8s:uid: whoever may create a pod in any namespace could show the rest');
  if (clusters > 1 && !settled('k8s:cluster'))
    flaw('settles no k8s:cluster: a pod of each of the clusters could show the rest');
  return defects;
}
