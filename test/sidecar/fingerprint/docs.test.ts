import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { channelOf, ProofMaker } from '../../../lib/fingerprint/index.ts';
import { SETTINGS } from '../../../sidecar/config/settings.ts';
import { DETAILS } from '../../../sidecar/fingerprint/details.ts';
import { WEB } from '../support.ts';
import { channelLine, digestOf, proofLine } from './caller.ts';

describe('docs/fingerprint.md', () => {
  let doc: string;
  before(async () => {
    doc = await readFile(new URL('../../../docs/fingerprint.md', import.meta.url), 'utf8');
  });

  it('tells of every code, and of no other', () => {
    const told = new Set(doc.match(/\bproof_[a-z]+/g));
    assert.deepEqual([...told].sort(), Object.keys(DETAILS).sort());
  });

  it('tells how much a head grows', () => {
    assert.match(doc, /grows by 0\.3 to 1\.2 KB, and the first ones on a connection by 0\.3 KB more/);
    const channel = channelOf(Buffer.alloc(32));
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const small = { method: 'GET', host: 'orders', path: '/a', query: null, body: null };
    const large = { ...small, path: `/${'a'.repeat(511)}`, query: Buffer.from('q'), body: digestOf('hello') };
    const sizes = (['channel', 'signed'] as const).flatMap((mode) => {
      const maker = new ProofMaker(channel, { mode, ttlSeconds: 10, key, subject: WEB });
      const proofs = [small, large].map((request) => maker.make(request, new Date()));
      return proofs.map((proof) => proofLine(proof).length + 2);
    });
    assert.ok(Math.min(...sizes) > 300 && Math.max(...sizes) < 1_250, `${sizes}`);
    const maker = new ProofMaker(channel, { mode: 'channel', ttlSeconds: 10, key, subject: WEB });
    const assertion = channelLine(maker.assertion(new Date())!).length;
    assert.ok(assertion > 250 && assertion < 350, `${assertion}`);
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
