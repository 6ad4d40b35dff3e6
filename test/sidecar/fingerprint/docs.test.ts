import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { SETTINGS } from '../../../sidecar/config/settings.ts';
import { DETAILS } from '../../../sidecar/fingerprint/details.ts';

describe('docs/fingerprint.md', () => {
  let doc: string;
  before(async () => {
    doc = await readFile(new URL('../../../docs/fingerprint.md', import.meta.url), 'utf8');
  });

  it('tells of every code, and of no other', () => {
    const told = new Set(doc.match(/\bproof_[a-z]+/g));
    assert.deepEqual([...told].sort(), Object.keys(DETAILS).sort());
  });

  it('shows the settings with their defaults', () => {
    const shown = [...doc.matchAll(/^(SIGNET_\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
    const ours = Object.entries(SETTINGS).filter(([name]) => name.startsWith('SIGNET_FINGERPRINT'));
    assert.deepEqual(
      shown,
      ours.map(([name, { fallback }]) => [name, fallback]),
    );
  });
});
