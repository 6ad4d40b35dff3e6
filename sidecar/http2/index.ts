import type { Http2 } from '../relay/index.ts';
import { acceptHttp2 } from './downstream.ts';
import { refuseHttp2 } from './farewell.ts';

export { Http2Route } from './route.ts';
export { Sessions } from './sessions.ts';

/** What a listener has to know of HTTP/2. */
export const HTTP2: Http2 = { accept: acceptHttp2, refuse: refuseHttp2 };
