const UNITS = { s: 1, m: 60, h: 3600 } as const;

/** The seconds of a lifetime's word (`20s`, `15m`, `1h`). Undefined when it is not one. */
export function secondsOf(word: string): number | undefined {
  const [, digits, unit] = /^([1-9][0-9]{0,5})([smh])$/.exec(word) ?? [];
  return digits === undefined ? undefined : Number(digits) * UNITS[unit as keyof typeof UNITS];
}
