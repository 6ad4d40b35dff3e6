import { parseSshPrivateKey, proofMessage } from '../../lib/attestation/index.ts';
import type { AttestSpec } from '../config/values.ts';
import type { Claim, EvidenceSource, KeyPair } from './evidence.ts';
import { readIdentityDocument } from './metadata-service.ts';

type Spec = AttestSpec & { readonly method: 'aws' };
type World = {
  readonly newKeyPair: () => Promise<KeyPair>;
  readonly readInput: (file: string, what: string) => Promise<string>;
  readonly parseInput: <T>(what: string, parser: () => T) => T;
};

/**
 * The document is public within the machine, so the host key vouches for it. Both are read for each claim and let go of. A certificate of the
 * host key is not shown: it would prove something else.
 */
export function awsEvidence({ keyFile, service }: Spec, world: World): EvidenceSource {
  const { newKeyPair, readInput, parseInput } = world;
  return {
    async claim(): Promise<Claim> {
      const text = await readInput(keyFile, 'the host key');
      const signer = parseInput('the host key', () => parseSshPrivateKey(text));
      const pkcs7 = await readIdentityDocument(service);
      return {
        method: 'aws',
        key: await newKeyPair(),
        identity: null,
        evidence: (proof) => ({ pkcs7, signature: signer.sign('signet-attest-v1', proofMessage(proof)) }),
        accepted() {},
        refused() {},
      };
    },
  };
}
