import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { proofMessage, verifySshSignature } from '../../../lib/attestation/index.ts';
import { type FakeMetadataService, startFakeMetadataService } from '../../fakes/fake-metadata-service.ts';
import { type Attempts, createAttempts, failure, ID, never } from './attempts.ts';

const TOKEN = 'PUT /latest/api/token';
const DOCUMENT = 'GET /latest/dynamic/instance-identity/rsa2048';

describe('proving to be an EC2 instance', () => {
  let at: Attempts;
  let service: FakeMetadataService;
  beforeEach(async () => {
    at = await createAttempts();
    service = await startFakeMetadataService('MIAGCSqG\nSIb3DQEH\n');
  });
  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    await at[Symbol.asyncDispose]();
  });
  const acquirer = () =>
    at.acquirer({ method: 'aws', keyFile: join(at.dir, 'host_key'), service: service.url });

  it('asks for a token and then for the document, and signs the proof of this connection', async () => {
    const svid = await acquirer()(null, never);
    assert.equal(svid.id.toString(), ID);
    assert.deepEqual(service.asked, [TOKEN, DOCUMENT]);
    const [, attested] = at.broker.asked;
    const { method, evidence } = attested!.body;
    assert.deepEqual([method, Object.keys(evidence)], ['aws', ['pkcs7', 'signature']]);
    assert.equal(evidence.pkcs7, 'MIAGCSqGSIb3DQEH', 'one line of what the service gave');
    const { exporter } = attested!;
    const message = proofMessage({ trustDomain: 'example.org', challenge: 'the-challenge', exporter });
    const { keyFingerprint } = verifySshSignature({
      ...{ armored: evidence.signature, namespace: 'signet-attest-v1', message, now: new Date() },
    });
    assert.match(keyFingerprint, /^SHA256:/);
  });
  it('asks anew for a renewal, with a token of its own', async () => {
    const acquire = acquirer();
    const first = await acquire(null, never);
    service.restart();
    service.document = 'AAAA';
    await acquire(first, never);
    assert.deepEqual(service.asked, [TOKEN, DOCUMENT, TOKEN, DOCUMENT]);
    const shown = at.broker.asked.filter(({ path }) => path === '/v1/attest').at(-1)!;
    assert.equal(shown.body.evidence.pkcs7, 'AAAA');
    assert.equal(shown.client, undefined, 'not by the SVID that it has');
  });

  const answers: [what: string, reason: string, path: string, answer: (response: ServerResponse) => void][] =
    [
      ['refuses', 'status 403', TOKEN, (response) => response.writeHead(403).end()],
      ['has no document', 'status 404', DOCUMENT, (response) => response.writeHead(404).end()],
      [
        'sends elsewhere',
        'status 302',
        DOCUMENT,
        (response) => response.writeHead(302, { location: `${service.url}x` }).end(),
      ],
      ['hangs up', 'no answer', TOKEN, (response) => response.destroy()],
      ['breaks off', 'no answer', DOCUMENT, (response) => response.write('MII', () => response.destroy())],
      ['gives a token of two lines', 'no token', TOKEN, (response) => response.end('a\nb')],
      ['gives an empty document', 'no document', DOCUMENT, (response) => response.end()],
      ['gives a page', 'no document', DOCUMENT, (response) => response.end('<html>')],
      ['gives too long a token', 'no answer', TOKEN, (response) => response.end('a'.repeat(2_000))],
      ['gives too long a document', 'no answer', DOCUMENT, (response) => response.end('A'.repeat(100_000))],
    ];
  for (const [what, reason, path, answer] of answers)
    it(`has no evidence where the service ${what}`, async () => {
      service.instead = ({ method, url }, response) => {
        if (`${method} ${url}` !== path) return false;
        answer(response);
        return true;
      };
      const error = await failure(acquirer());
      assert.deepEqual([error.code, error.detail.reason], ['EVIDENCE_UNAVAILABLE', reason]);
      assert.deepEqual(at.broker.asked, [], 'the broker is not asked');
      assert.equal(error.refused, false, 'and it is tried again before long');
    });
  it('has no evidence without its host key, and asks nobody then', async () => {
    await writeFile(join(at.dir, 'host_key'), 'nothing');
    assert.equal((await failure(acquirer())).code, 'EVIDENCE_UNAVAILABLE');
    assert.deepEqual(service.asked, []);
  });
});
