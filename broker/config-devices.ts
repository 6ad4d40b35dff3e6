import { InputError } from '../lib/errors.ts';
import { type AwsConfig, readAwsCertificates } from './aws/certificates.ts';
import { Refusal, readFrom } from './config-values.ts';
import { type DeviceConfig, parseDeviceConfig, readAuthorities } from './devices/config.ts';
import type { TpmConfig } from './tpm/config.ts';

export function asDevices(path: string, readFile: (path: string) => string): DeviceConfig {
  const text = readFrom(path, readFile);
  try {
    return parseDeviceConfig(text, readFile);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const defects = error.defects.map(({ pointer, message }) => `${pointer || '/'} ${message}`);
    throw new Refusal(`cannot be used: ${defects.join('; ')}`);
  }
}

export function asTpm(text: string, readFile: (path: string) => string): TpmConfig {
  const authorities = text === 'none' ? [] : readAuthorities(text, readFile);
  if (typeof authorities === 'string') throw new Refusal(authorities);
  return { authorities };
}

export function asAws(text: string, readFile: (path: string) => string): AwsConfig['certificates'] {
  const certificates = readAwsCertificates(text, readFile);
  if (typeof certificates === 'string') throw new Refusal(certificates);
  return certificates;
}

/** Milliseconds. */
export function parseAge(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,4})(m|h)$/.exec(text) ?? [];
  if (digits === undefined) throw new Refusal('is not a time such as 30m or 24h');
  return Number(digits) * (unit === 'h' ? 60 : 1) * 60_000;
}
