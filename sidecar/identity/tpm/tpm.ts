import { randomBytes } from 'node:crypto';
import {
  ALG,
  ATTRIBUTE,
  CURVE_P256,
  sized,
  TpmError,
  TpmReader,
  u8,
  u16,
  u32,
} from '../../../lib/tpm/index.ts';
import type { TpmPlace } from '../../config/values.ts';
import { openChannel, type TpmChannel } from './channel.ts';
import { type Command, HANDLE, type Response, run, TpmRefusal, unreadable } from './command.ts';

export type LoadedKey = {
  readonly handle: number;
  /** `TPMT_PUBLIC`. */
  readonly publicPart: Buffer;
  /** Whether it stays in the TPM whatever we do. */
  readonly persistent: boolean;
};

export type EkKind = 'rsa' | 'ecc';

/** One conversation with a TPM. What it loaded is unloaded when it is disposed of. */
export interface Tpm extends AsyncDisposable {
  endorsementKey(kind: EkKind): Promise<LoadedKey>;
  /** A key that signs nothing but what this TPM says of itself. The same one at each call, until the TPM is cleared. */
  attestationKey(): Promise<LoadedKey>;
  /** The maker's certificate, DER; undefined where the TPM has none. */
  certificate(kind: EkKind): Promise<Buffer | undefined>;
  /** Opens what was wrapped for `ek` and the name of `ak`. */
  activate(ak: LoadedKey, ek: LoadedKey, blob: Uint8Array, secret: Uint8Array): Promise<Buffer>;
  /** Has `ak` sign that the TPM was given `data`, at most 32 bytes. */
  quote(ak: LoadedKey, data: Uint8Array): Promise<{ readonly quote: Buffer; readonly signature: Buffer }>;
}

/** @throws AcquireError, as every method of it */
export async function openTpm(place: TpmPlace): Promise<Tpm> {
  const channel = await openChannel(place);
  const loaded: number[] = [];
  const flush = async (handle: number) => {
    await run(channel, { code: 'flushContext', parameters: [u32(handle)] });
    loaded.splice(loaded.indexOf(handle), 1);
  };
  const createPrimary = async (template: Buffer): Promise<LoadedKey> => {
    const { handle, ...response } = await run(channel, {
      code: 'createPrimary',
      handles: [HANDLE.endorsement],
      sessions: ['password'],
      // no password and no data; the template; no outside information; no registers
      parameters: [sized(sized(), sized()), sized(template), sized(), u32(0)],
      makesHandle: true,
    });
    loaded.push(handle);
    return {
      handle,
      publicPart: read('createPrimary', response, (reader) => reader.sized(1024)),
      persistent: false,
    };
  };
  return {
    async endorsementKey(kind) {
      const kept = kind === 'rsa' ? await keptKey(channel, EK_RSA_HANDLE, EK_TEMPLATE.rsa) : undefined;
      return kept ?? (await createPrimary(EK_TEMPLATE[kind]));
    },
    attestationKey: () => createPrimary(AK_TEMPLATE),
    certificate: (kind) => readIndex(channel, CERTIFICATE_INDEX[kind]),
    async activate(ak, ek, blob, secret) {
      const session = await startPolicy(channel);
      loaded.push(session);
      const { reader } = await run(channel, {
        code: 'activateCredential',
        handles: [ak.handle, ek.handle],
        sessions: ['password', session],
        parameters: [sized(blob), sized(secret)],
      });
      await flush(session);
      return read('activateCredential', { reader }, () => reader.sized(64));
    },
    async quote(ak, data) {
      const response = await run(channel, {
        code: 'quote',
        handles: [ak.handle],
        sessions: ['password'],
        // the key's own scheme; no registers
        parameters: [sized(data), u16(ALG.null), u32(0)],
      });
      return read('quote', response, (reader) => ({
        quote: reader.sized(1024),
        signature: readSignature(reader),
      }));
    },
    async [Symbol.asyncDispose]() {
      try {
        for (const handle of [...loaded]) await flush(handle);
      } catch {
        // the resource manager unloads what a closed device had
      }
      await channel[Symbol.asyncDispose]();
    },
  };
}

/** Where makers and systems keep an RSA endorsement key (TCG EK Credential Profile §2.2.2, TCG Registry of Reserved TPM 2.0 Handles). */
const EK_RSA_HANDLE = 0x81010001;
const CERTIFICATE_INDEX = { rsa: 0x01c00002, ecc: 0x01c0000a };

/** PolicySecret of the endorsement hierarchy, by SHA-256 (TCG EK Credential Profile B.3). */
const EK_POLICY = Buffer.from('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 'hex');
const EK_ATTRIBUTES =
  ATTRIBUTE.fixedTpm |
  ATTRIBUTE.fixedParent |
  ATTRIBUTE.sensitiveDataOrigin |
  ATTRIBUTE.adminWithPolicy |
  ATTRIBUTE.restricted |
  ATTRIBUTE.decrypt;
const AES_128_CFB = Buffer.concat([u16(ALG.aes), u16(128), u16(ALG.cfb)]);
const ekOf = (type: number, ...rest: readonly Buffer[]) =>
  Buffer.concat([
    u16(type),
    u16(ALG.sha256),
    u32(EK_ATTRIBUTES),
    sized(EK_POLICY),
    AES_128_CFB,
    u16(ALG.null),
    ...rest,
  ]);
/** Templates L-1 and L-2 of the TCG EK Credential Profile: by them every TPM makes the very key that its maker certified. */
const EK_TEMPLATE = {
  rsa: ekOf(ALG.rsa, u16(2048), u32(0), sized(Buffer.alloc(256))),
  ecc: ekOf(ALG.ecc, u16(CURVE_P256), u16(ALG.null), sized(Buffer.alloc(32)), sized(Buffer.alloc(32))),
};
const AK_ATTRIBUTES =
  ATTRIBUTE.fixedTpm |
  ATTRIBUTE.fixedParent |
  ATTRIBUTE.sensitiveDataOrigin |
  ATTRIBUTE.userWithAuth |
  ATTRIBUTE.noDa |
  ATTRIBUTE.restricted |
  ATTRIBUTE.sign;
const AK_TEMPLATE = Buffer.concat([
  ...[u16(ALG.ecc), u16(ALG.sha256), u32(AK_ATTRIBUTES), sized(), u16(ALG.null)],
  ...[u16(ALG.ecdsa), u16(ALG.sha256), u16(CURVE_P256), u16(ALG.null), sized(), sized()],
]);

/** The key at a persistent handle, if it is by this template: to make an RSA key anew takes a real TPM many seconds. */
async function keptKey(
  channel: TpmChannel,
  handle: number,
  template: Buffer,
): Promise<LoadedKey | undefined> {
  const response = await ifThere(channel, { code: 'readPublic', handles: [handle] });
  if (response === undefined) return undefined;
  const publicPart = read('readPublic', response, (reader) => reader.sized(1024));
  const same =
    publicPart.length === template.length && publicPart.subarray(0, -256).equals(template.subarray(0, -256));
  return same ? { handle, publicPart, persistent: true } : undefined;
}

/** A policy session that satisfies the policy of endorsement keys. */
async function startPolicy(channel: TpmChannel): Promise<number> {
  const { handle } = await run(channel, {
    code: 'startAuthSession',
    handles: [HANDLE.null, HANDLE.null],
    parameters: [sized(randomBytes(16)), sized(), u8(1), u16(ALG.null), u16(ALG.sha256)],
    makesHandle: true,
  });
  await run(channel, {
    code: 'policySecret',
    handles: [HANDLE.endorsement, handle],
    sessions: ['password'],
    parameters: [sized(), sized(), sized(), u32(0)],
  });
  return handle;
}

const MAX_CERTIFICATE_BYTES = 4096;
const CHUNK_BYTES = 512;
const NV = { ownerRead: 1 << 17, authRead: 1 << 18 };

async function readIndex(channel: TpmChannel, index: number): Promise<Buffer | undefined> {
  const described = await ifThere(channel, { code: 'nvReadPublic', handles: [index] });
  if (described === undefined) return undefined;
  const { attributes, size } = read('nvReadPublic', described, (reader) => {
    const area = new TpmReader(reader.sized(256));
    area.take(4 + 2);
    const attributes = area.u32();
    area.sized(64);
    return { attributes, size: area.u16() };
  });
  if (size === 0 || size > MAX_CERTIFICATE_BYTES || (attributes & (NV.authRead | NV.ownerRead)) === 0)
    return undefined;
  const by = (attributes & NV.authRead) !== 0 ? index : HANDLE.owner;
  const parts: Buffer[] = [];
  for (let at = 0; at < size; at += CHUNK_BYTES) {
    const response = await run(channel, {
      code: 'nvRead',
      handles: [by, index],
      sessions: ['password'],
      parameters: [u16(Math.min(CHUNK_BYTES, size - at)), u16(at)],
    });
    parts.push(read('nvRead', response, (reader) => reader.sized(CHUNK_BYTES)));
  }
  return withoutPadding(Buffer.concat(parts));
}

/** Some makers fill the rest of the index up. */
function withoutPadding(bytes: Buffer): Buffer {
  const long = bytes[0] === 0x30 && bytes[1] === 0x82;
  return long ? bytes.subarray(0, 4 + bytes.readUInt16BE(2)) : bytes;
}

/** Undefined where the TPM has no such handle. */
async function ifThere(channel: TpmChannel, command: Command): Promise<Response | undefined> {
  try {
    return await run(channel, command);
  } catch (error) {
    // TPM_RC_HANDLE, whichever it is
    if (error instanceof TpmRefusal && (error.rc & 0xbf) === 0x8b) return undefined;
    throw error;
  }
}

/** `TPMT_SIGNATURE` of ECDSA, as it is. */
function readSignature(reader: TpmReader): Buffer {
  const head = reader.take(4);
  return Buffer.concat([head, sized(reader.sized(66)), sized(reader.sized(66))]);
}

function read<T>(
  code: Command['code'],
  { reader }: Pick<Response, 'reader'>,
  take: (reader: TpmReader) => T,
): T {
  try {
    return take(reader);
  } catch (error) {
    throw error instanceof TpmError ? unreadable(code) : error;
  }
}
