/** No dot, so that no token is taken for one (a JWT and Vault's tokens have one), and no longer than any such id is. */
const FORM = /^[A-Za-z0-9_-]{8,64}$/;

/** Whether a caller's word for its request can be taken over. It gets into logs, the audit and answers. */
export function isCorrelationId(text: string): boolean {
  return FORM.test(text);
}
