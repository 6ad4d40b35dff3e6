import type { Problem } from '../http1/index.ts';
import type { FieldList } from './fields.ts';

/** Whether a message of this content type is a gRPC one; gRPC-Web, which browsers speak, is plain HTTP. */
export function isGrpc(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:$|[+;])/i.test(contentType);
}

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** What `grpc-timeout` says, in milliseconds; infinite when it says nothing that can be read. */
export function grpcTimeoutMs(value: string | undefined): number {
  const [, digits, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(value ?? '') ?? [];
  return digits === undefined ? Number.POSITIVE_INFINITY : Math.max(1, Number(digits) * UNIT_MS[unit]!);
}

/** The statuses of gRPC's own translation table (doc/http-grpc-status-mapping.md), and those of our answers that it does not have. */
const STATUS: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [408, 4],
  [413, 8],
  [429, 14],
  [431, 8],
  [502, 14],
  [503, 14],
  [504, 14],
]);
const UNKNOWN = 2;

/** A refusal as gRPC has it: a response that is all trailers. The message begins with the code. */
export function grpcRefusal({ status, code, detail }: Problem): FieldList {
  return [
    ...[':status', '200', 'content-type', 'application/grpc'],
    ...['grpc-status', String(STATUS.get(status) ?? UNKNOWN)],
    ...['grpc-message', percentEncoded(`${code}: ${detail}`)],
  ];
}

/** gRPC over HTTP/2, `Percent-Encoded`: all but visible ASCII and space, and the percent sign. */
function percentEncoded(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]/gu, (c) =>
    [...Buffer.from(c)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}
