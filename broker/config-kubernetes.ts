import type { Environment } from '../lib/adapter/settings.ts';
import { InputError } from '../lib/errors.ts';
import { type InjectorConfig, parseInjector } from './admission/config.ts';
import {
  type ClusterSpec,
  type KubernetesConfig,
  readAnnotations,
  readClusterSpecs,
} from './cluster-specs.ts';
import { Refusal, readFrom } from './config-values.ts';

export function asClusters(
  text: string,
  environment: Environment,
  readFile: (path: string) => string,
): readonly ClusterSpec[] {
  const specs = readClusterSpecs(text, { environment, readFile });
  if (typeof specs === 'string') throw new Refusal(specs);
  return specs;
}

export function parseAnnotations(text: string): readonly string[] {
  const names = readAnnotations(text);
  if (names === undefined) throw new Refusal('is not a list of annotations, by comma');
  return names;
}

export function asSource(text: string, clusters: readonly ClusterSpec[]): KubernetesConfig['source'] {
  if (text !== 'pod' && text !== 'any') throw new Refusal('is not pod or any');
  if (text === 'pod' && clusters.some(({ kind }) => kind === 'offline'))
    throw new Refusal('is pod, and of an offline cluster the addresses of pods are not known');
  return text;
}

export function asInjector(
  path: string,
  clusters: readonly ClusterSpec[],
  readFile: (path: string) => string,
): InjectorConfig {
  const text = readFrom(path, readFile);
  try {
    const injector = parseInjector(text, readFile);
    if (clusters.some(({ name, kind }) => name === injector.cluster && kind !== 'offline')) return injector;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const defects = error.defects.map(({ pointer, message }) => `${pointer || '/'} ${message}`);
    throw new Refusal(`cannot be used: ${defects.join('; ')}`);
  }
  throw new Refusal('cannot be used: /cluster is not one of SIGNET_KUBERNETES with an API server');
}
