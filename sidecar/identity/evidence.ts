import { createHash, generateKeyPair, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { parseJoinCode, parseSshPrivateKey, proofMessage } from '../../lib/attestation/index.ts';
import { SignetError } from '../../lib/errors.ts';
import { Secret } from '../../lib/secret.ts';
import type { AttestSpec } from '../config/values.ts';
import { AcquireError } from './acquire-error.ts';
import type { ClientIdentity } from './broker-client.ts';
import type { Svid } from './credentials.ts';

export type KeyPair = { readonly privateKey: KeyObject; readonly spkiDer: Uint8Array };
type Instance = { readonly id: string; readonly generation: number };
export type Proof = {
  readonly trustDomain: string;
  readonly challenge: string;
  readonly exporter: Uint8Array;
};

/** A call of the broker, on the connection that the evidence is for. */
export type BrokerCall = (path: string, body: object, status: number) => Promise<unknown>;

/** One attempt to prove who we are, and the key that its SVID shall be for. */
export type Claim = {
  readonly method: 'ssh-host' | 'join' | 'svid' | 'kubernetes' | 'x509' | 'tpm' | 'aws';
  readonly key: KeyPair;
  /** What to show as TLS client. */
  readonly identity: ClientIdentity | null;
  evidence(proof: Proof, call: BrokerCall): object | Promise<object>;
  /** The broker accepted, and this is who we are to it from now on. */
  accepted(instance: Instance): void;
  /** The broker refused, with this problem code. */
  refused(reason: string | undefined): void;
};

/** Where claims come from. It remembers what a renewal depends on: the instance, its generation, the key announced for it. */
export interface EvidenceSource {
  /**
   * The next claim. With an SVID that began with a join code it is a renewal by that SVID, in every other case fresh evidence.
   * @throws AcquireError `EVIDENCE_UNAVAILABLE`, `JOIN_CODE_SPENT`
   */
  claim(current: Svid | null): Promise<Claim>;
}

export type EvidenceInput = { readonly readStdin: () => Promise<string> };

export function createEvidence(spec: AttestSpec, input: EvidenceInput): EvidenceSource {
  switch (spec.method) {
    case 'ssh-host':
      return sshHostEvidence(spec.keyFile);
    case 'kubernetes':
      return kubernetesEvidence(spec);
    case 'x509':
      return onDemand(async () =>
        (await import('./x509-evidence.ts')).x509Evidence(spec, { newKeyPair, readInput }),
      );
    case 'tpm':
      return onDemand(async () => (await import('./tpm/evidence.ts')).tpmEvidence(spec, newKeyPair));
    case 'aws':
      return onDemand(async () =>
        (await import('./aws-evidence.ts')).awsEvidence(spec, { newKeyPair, readInput, parseInput }),
      );
    case 'join':
      return joinEvidence(spec.file, input);
  }
}

/** A source that is loaded when it is first asked. */
function onDemand(load: () => Promise<EvidenceSource>): EvidenceSource {
  let source: Promise<EvidenceSource> | undefined;
  return {
    async claim(current) {
      source ??= load();
      return await (await source).claim(current);
    },
  };
}

/** A new P-256 key pair. It stays in this process. */
export async function newKeyPair(): Promise<KeyPair> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  return { privateKey, spkiDer: publicKey.export({ type: 'spki', format: 'der' }) };
}

/** The host key is read for each claim and let go of: it is the host's, and may be replaced. */
function sshHostEvidence(keyFile: string): EvidenceSource {
  return {
    async claim() {
      const [text, certificate] = await Promise.all([
        readInput(keyFile, 'the host key'),
        readInput(`${keyFile}-cert.pub`, "the host key's certificate").then(unlessEmpty, absent),
      ]);
      const signer = parseInput('the host key', () => parseSshPrivateKey(text, certificate));
      return {
        method: 'ssh-host',
        key: await newKeyPair(),
        identity: null,
        evidence: (proof) => ({ signature: signer.sign('signet-attest-v1', proofMessage(proof)) }),
        accepted() {},
        refused() {},
      };
    },
  };
}

/** The kubelet replaces the token long before it runs out: it is read for each claim and let go of. */
function kubernetesEvidence({ tokenFile, cluster }: AttestSpec & { method: 'kubernetes' }): EvidenceSource {
  return {
    async claim() {
      const token = new Secret((await readInput(tokenFile, 'the service-account token')).trim());
      if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token.reveal()))
        throw new AcquireError('EVIDENCE_UNAVAILABLE', 'the service-account token is not one');
      return {
        method: 'kubernetes',
        key: await newKeyPair(),
        identity: null,
        evidence: () => ({ token: token.reveal(), ...(cluster === undefined ? {} : { cluster }) }),
        accepted() {},
        refused() {},
      };
    },
  };
}

function joinEvidence(file: string, { readStdin }: EvidenceInput): EvidenceSource {
  let fromStdin: Promise<string> | null = null;
  let spent: string | null = null;
  let instance: Instance | null = null;
  // The broker takes the next renewal only from the holder of the key that the last one announced. Until there is an SVID for that key,
  // it is announced again: that is how the broker tells us, whose answer was lost, from a clone of us.
  let announced: KeyPair | null = null;

  const begin = async (): Promise<Claim> => {
    if (file === '-') fromStdin ??= readStdin();
    const text = (await (fromStdin ?? readInput(file, 'the join code'))).trim();
    const code = new Secret(text);
    parseInput('the join code', () => parseJoinCode(text));
    const mark = createHash('sha256').update(text).digest('hex');
    // Shown again, a spent code would raise the broker's theft alarm each time.
    if (mark === spent)
      throw new AcquireError(
        'JOIN_CODE_SPENT',
        'the join code is spent and there is no SVID: give a new code',
      );
    const key = await newKeyPair();
    announced = key;
    return {
      method: 'join',
      key,
      identity: null,
      evidence: () => ({ code: code.reveal(), next_key: keyHash(key) }),
      accepted(made) {
        instance = made;
        spent = mark;
      },
      refused(reason) {
        if (reason === 'attestation_refused') spent = mark;
      },
    };
  };

  const renew = async (svid: Svid, { id, generation }: Instance): Promise<Claim> => {
    const held = announced?.privateKey.equals(svid.key) ?? true;
    const key = held ? await newKeyPair() : announced!;
    announced = key;
    return {
      method: 'svid',
      key,
      identity: {
        certChainPem: svid.certChainPem,
        keyPem: svid.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      },
      evidence: () => ({ instance_id: id, generation, next_key: keyHash(key) }),
      accepted(made) {
        instance = made;
      },
      refused() {},
    };
  };

  return {
    claim: (current) => (current === null || instance === null ? begin() : renew(current, instance)),
  };
}

/** A key's name on the wire: SHA-256 of its SPKI, hex. */
function keyHash({ spkiDer }: KeyPair): string {
  return createHash('sha256').update(spkiDer).digest('hex');
}

const MAX_INPUT_BYTES = 64 * 1024;

async function readInput(file: string, what: string): Promise<string> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.length <= MAX_INPUT_BYTES) return text;
  } catch (error) {
    const reason = String((error as NodeJS.ErrnoException).code);
    throw new AcquireError('EVIDENCE_UNAVAILABLE', `${what} cannot be read from ${file}`, { reason });
  }
  throw new AcquireError('EVIDENCE_UNAVAILABLE', `${what} is over ${MAX_INPUT_BYTES} characters`);
}

/** As systemd gives a credential that is not there. */
function unlessEmpty(text: string): string | undefined {
  return text.trim() === '' ? undefined : text;
}

function absent(error: unknown): undefined {
  if (error instanceof AcquireError && error.detail.reason === 'ENOENT') return undefined;
  throw error;
}

function parseInput<T>(what: string, parser: () => T): T {
  try {
    return parser();
  } catch (error) {
    if (!(error instanceof SignetError)) throw error;
    throw new AcquireError('EVIDENCE_UNAVAILABLE', `${what} is not usable`, {
      reason: error.code,
      cause: error,
    });
  }
}
