export type Value = string | number | boolean;
export type Attributes = Readonly<Record<string, Value>>;

/** A text that is longer is cut: nobody outside can make a record large. */
const MOST_CHARACTERS = 1_024;

type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number };

/** As OTLP's JSON has them. Whole numbers are texts there, as in all of protobuf's JSON. */
export function attributesOf(attributes: Attributes): { readonly key: string; readonly value: AnyValue }[] {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: Value): AnyValue {
  if (typeof value === 'string') return { stringValue: value.slice(0, MOST_CHARACTERS) };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Nanoseconds since 1970, from milliseconds with up to three places behind the point. */
export function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1_000)}000`;
}
