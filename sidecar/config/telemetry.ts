// not by the index: what reads settings needs nothing of what sends
import { collectorUrl } from '../../lib/adapter/otlp/collector-url.ts';
import type { OtlpSettings } from '../../lib/adapter/otlp/index.ts';
import { SettingError } from './values.ts';

export type TelemetrySettings = {
  /** Null: nothing is sent. */
  readonly otlp: OtlpSettings | null;
  /** Of new traces, how many of one are recorded: 0 to 1. */
  readonly share: number;
};

/** Of new traces, where nobody says. */
const USUAL_SHARE = 0.01;

/** @returns null where nothing of the kind is asked for */
export function telemetryOf(
  url: URL | undefined,
  ca: string | undefined,
  share: number | undefined,
): TelemetrySettings | null {
  if (url === undefined && share === undefined) return null;
  return { otlp: url === undefined ? null : { url, ca: ca ?? null }, share: share ?? USUAL_SHARE };
}

export function parseCollector(text: string): URL {
  const url = collectorUrl(text);
  if (typeof url === 'string') throw new SettingError(url);
  return url;
}

export function parseShare(text: string): number {
  if (!/^(?:[01]|0?\.\d{1,9})$/.test(text))
    throw new SettingError('is not a share from 0 to 1, such as 0.05');
  return Number(text);
}
