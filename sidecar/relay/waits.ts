/** What an accepted connection waits for; each has its time. */
export const REQUEST = 0;
export const HEAD_REST = 1;
export const CONNECT = 2;
export const REQUEST_BODY = 3;
export const RESPONSE = 4;
export const RESPONSE_BODY = 5;
export const GOODBYE = 6;
export const SPLICED = 7;
export const JUDGEMENT = 8;
