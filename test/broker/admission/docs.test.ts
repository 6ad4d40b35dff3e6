import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { load, loadAll } from 'js-yaml';
import { describe, it } from 'mocha';
import { ALLOWANCES, ANNOTATIONS } from '../../../broker/admission/annotations.ts';
import { parseInjector } from '../../../broker/admission/config.ts';
import { inject } from '../../../broker/admission/inject.ts';
import { PORTS } from '../../../broker/admission/parts.ts';
import { readPod } from '../../../broker/admission/pod.ts';
import { RULES, webhookConfigurations } from '../../kubernetes/admission-objects.ts';
import { type AnyPod, worldOf } from './cases.ts';

const doc = await readFile(new URL('../../../docs/kubernetes-injection.md', import.meta.url), 'utf8');
const blocks = (kind: string) =>
  Array.from(doc.matchAll(new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, 'gs')), ([, text]) => text!);
const rows = doc
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe('docs/kubernetes-injection.md', () => {
  it('has the table of annotations as it is', () => {
    const wanted = Object.entries(ANNOTATIONS).map(([name, annotation]) => [
      `\`${name}\``,
      annotation.value,
      'needs' in annotation ? `\`${annotation.needs}\`` : '',
      annotation.meaning,
    ]);
    assert.deepEqual(
      rows.filter(([first = '']) => first.startsWith('`signet/')),
      wanted,
    );
    for (const word of ALLOWANCES) assert.ok(doc.includes(`\`${word}\``), word);
    for (const port of Object.values(PORTS)) assert.ok(doc.includes(String(port)), String(port));
  });
  it('has a pod that is injected', () => {
    const [, pod] = loadAll(blocks('yaml')[0]!) as [unknown, AnyPod];
    assert.equal(inject(readPod(pod), pod.metadata.namespace, worldOf()).kind, 'patched');
  });
  it('has a document that the broker reads, and all of its fields', () => {
    const config = parseInjector(blocks('json')[0]!, () => '');
    const told = rows.flatMap(([first = '']) => Array.from(first.matchAll(/`(\w+)`/g), ([, name]) => name));
    for (const field of Object.keys(config)) assert.ok(told.includes(field), field);
  });
  it('has the probes of the sidecar', () => {
    const pod = {
      metadata: { annotations: { 'signet/inject': 'true' } },
      spec: { containers: [{ name: 'a' }] },
    };
    const injection = inject(readPod(pod), 'shop', worldOf());
    const text = JSON.stringify(injection);
    for (const [path, every, failures] of rows
      .filter(([first = '']) => ['start-up', 'liveness', 'readiness'].includes(first))
      .map(
        ([, path, every, after]) =>
          [path!.replaceAll('`', ''), Number.parseInt(every!, 10), Number.parseInt(after!, 10)] as const,
      ))
      assert.ok(
        text.includes(
          `{"httpGet":{"path":"${path}","port":15021,"scheme":"HTTP"},"periodSeconds":${every},"failureThreshold":${failures}`,
        ),
        path,
      );
  });
  it('has the webhooks and the rules that tests run with', () => {
    const [, webhooks, rules] = blocks('yaml');
    const service = { name: 'signet-broker', namespace: 'signet' };
    const wanted = webhookConfigurations((path) => ({ service: { ...service, path } }));
    assert.deepEqual(loadAll(webhooks!), wanted);
    assert.deepEqual(load(rules!), RULES);
  });
});
