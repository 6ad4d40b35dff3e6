export { acceptHttp2 } from './downstream.ts';
export { Http2Route } from './route.ts';
export { Sessions } from './sessions.ts';
