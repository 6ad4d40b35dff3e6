export { sized, TpmReader, u8, u16, u32 } from './bytes.ts';
export { ALG, ATTRIBUTE, CURVE_P256 } from './constants.ts';
export { TpmError } from './error.ts';
export { hasAttributes, readPublic, type TpmPublic } from './public.ts';
export { type Quote, readQuote, verifyTpmSignature } from './quote.ts';
