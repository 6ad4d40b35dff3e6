import { isLoopback } from '../address.ts';
import { SettingError } from './values.ts';

export type OtlpSettings = {
  readonly url: URL;
  /** PEM; null: the public authorities. */
  readonly ca: string | null;
};

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

/** The address of a collector. Behind it come `/v1/traces`, `/v1/metrics` and `/v1/logs`. */
export function parseCollector(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new SettingError('is not an address such as https://collector:4318');
  if (url.username !== '' || url.password !== '') throw new SettingError('holds a user name or password');
  if (url.search !== '' || url.hash !== '')
    throw new SettingError('has more than scheme, host, port and path');
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw new SettingError('is not https, and not on this machine');
  return url;
}

export function parseShare(text: string): number {
  if (!/^(?:[01]|0?\.\d{1,9})$/.test(text))
    throw new SettingError('is not a share from 0 to 1, such as 0.05');
  return Number(text);
}
