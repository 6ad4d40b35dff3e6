import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { readIdentityDocument } from '../../../sidecar/identity/metadata-service.ts';
import { type MetadataService, startMetadataService } from '../../fakes/metadata-service.ts';

describe('the instance metadata service', () => {
  let service: MetadataService;
  before(async () => {
    service = await startMetadataService('MIAGCSqG\nSIb3DQEH');
  });
  after(() => service?.[Symbol.asyncDispose]());

  it('is asked by version 2: for a token, and then for the document', async () => {
    assert.equal(await readIdentityDocument(service.url), 'MIAGCSqGSIb3DQEH');
    assert.deepEqual(service.asked, [
      'PUT /latest/api/token',
      'GET /latest/dynamic/instance-identity/rsa2048',
    ]);
  });
  it('that refuses is told as evidence that cannot be had', async () => {
    service.instead = (_, response) => {
      response.writeHead(403).end();
      return true;
    };
    await assert.rejects(readIdentityDocument(service.url), { code: 'EVIDENCE_UNAVAILABLE' });
  });
});
