import type { ClientSessionOptions, ServerSessionOptions } from 'node:http2';
import type { HeadLimits } from '../http1/index.ts';

/** Streams that one connection may have open at once: a peer's, or ours, whatever the other end allows beyond. */
export const STREAMS = 100;
/** Bytes of one stream's body under way to us, before we have taken them. */
export const STREAM_WINDOW = 262_144;
/** Those of a whole connection. */
export const CONNECTION_WINDOW = 1_048_576;
/**
 * Megabytes that a connection may hold: room for every stream to wait with its window full. Streams of several peers share a connection to the
 * app, and those that one peer lets wait may not keep others from having any.
 */
const SESSION_MEGABYTES = Math.ceil((STREAMS * STREAM_WINDOW) / 1e6) + 8;
/** What a field costs beside its name and value (RFC 9113 §6.5.2). */
const FIELD_OVERHEAD = 32;
/** Fields that a head has in HTTP/2 alone. */
const PSEUDO_FIELDS = 5;
/** A little more is read than is accepted, so that it can be refused in words instead of by a reset. */
const SPARE_FIELDS = 28;
/** Control frames of one connection that wait to be answered. */
const OUTSTANDING = 10;
/** Frames that are not what the protocol allows; more end the connection. */
const INVALID_FRAMES = 100;
/** Streams that a peer may cancel in a burst, and each second from then on, answered or not; `Conduct` counts those that were not. */
const RESETS = { streamResetBurst: 10_000, streamResetRate: 1_000 };

function sessionOptions(head: HeadLimits) {
  const fields = head.fields + PSEUDO_FIELDS + SPARE_FIELDS;
  return {
    settings: {
      initialWindowSize: STREAM_WINDOW,
      maxHeaderListSize: head.headBytes + head.targetBytes + fields * FIELD_OVERHEAD,
    },
    maxHeaderListPairs: fields,
    maxSessionMemory: SESSION_MEGABYTES,
    maxOutstandingPings: OUTSTANDING,
    maxOutstandingSettings: OUTSTANDING,
    maxSessionInvalidFrames: INVALID_FRAMES,
    maxSessionRejectedStreams: INVALID_FRAMES,
    // what may not be repeated is for the two ends to know
    strictSingleValueFields: false,
  };
}

/** How we speak HTTP/2 with those who call us. */
export function serverOptions(head: HeadLimits): ServerSessionOptions {
  const { settings, ...rest } = sessionOptions(head);
  return {
    ...rest,
    ...RESETS,
    settings: { ...settings, maxConcurrentStreams: STREAMS, enableConnectProtocol: true },
  } as ServerSessionOptions;
}

/** How we speak HTTP/2 with those whom we call. */
export function clientOptions(head: HeadLimits): ClientSessionOptions {
  const { settings, ...rest } = sessionOptions(head);
  return {
    ...rest,
    settings: { ...settings, enablePush: false, maxConcurrentStreams: 0 },
  } as ClientSessionOptions;
}
