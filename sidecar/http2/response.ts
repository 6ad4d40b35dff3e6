import { type HeadLimits, NEED_MORE, type ResponseHead, refusalOf, scanResponse } from '../http1/index.ts';
import { type FieldList, isFieldName, isFieldValue, keptFields } from './fields.ts';

/**
 * Reads the head of a response, interim ones too, by the rules that one in HTTP/1.1 is read by.
 *
 * @returns what is passed on of it, `:status` first, or the code of a refusal
 */
export function readResponse(
  raw: readonly string[],
  limits: HeadLimits,
  head: ResponseHead,
): FieldList | string {
  let status = '';
  let lines = '';
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    if (name === ':status' && status === '') status = value;
    else if (!isFieldName(name)) return 'header_name';
    else if (!isFieldValue(value)) return 'header_value';
    else lines += `${name}: ${value}\r\n`;
  }
  if (!STATUS.test(status)) return 'status_line_malformed';
  const bytes = Buffer.from(`HTTP/1.1 ${status} \r\n${lines}\r\n`, 'latin1');
  const result = scanResponse(bytes, 0, bytes.length, limits, head);
  if (result < 0) return refusalOf(result).code;
  if (result === NEED_MORE || result !== bytes.length || head.chunked) return 'framing_ambiguous';
  return [':status', status].concat(keptFields(bytes, head));
}

/** The head of a response that was scanned in HTTP/1.1, as HTTP/2 has it. */
export function responseFields(b: Buffer, head: ResponseHead): FieldList {
  return [':status', String(head.status)].concat(keptFields(b, head));
}

const STATUS = /^[1-5]\d\d$/;
