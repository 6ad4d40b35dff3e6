export { type DynamicValue, decodeJson, decodeValue, parseJson } from './decode.ts';
export { encodeValue } from './encode.ts';
export { WireError } from './error.ts';
export { normal } from './numbers.ts';
