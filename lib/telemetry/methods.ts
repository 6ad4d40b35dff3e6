/** Methods that OpenTelemetry's conventions know. */
const METHODS = new Set([
  ...['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'],
]);
export const OTHER_METHOD = '_OTHER';

/** The method as others are told of it: whatever else somebody asks by becomes no name of anything. */
export function knownMethod(method: string): string {
  return METHODS.has(method) ? method : OTHER_METHOD;
}
