import { hash } from 'node:crypto';

/** What is proven of a request, as it goes from one sidecar to the other. */
export type ProvenRequest = {
  readonly method: string;
  readonly host: string;
  /** In canonical form: ASCII without quote and backslash, as are method and host. */
  readonly path: string;
  /** What follows `?`, or null without one. */
  readonly query: Uint8Array | null;
  /** As `bodyClaim` has it. */
  readonly body: string | null;
};

export const SCHEME = 'https://';

/** The target's URI without its query. A long path is named by its hash, as no path is spelled: heads have their bounds. */
export function audienceOf({ host, path }: ProvenRequest): string {
  if (path.length <= MOST_PATH_CHARS) return SCHEME + host + path;
  return `${SCHEME}${host}/#${hash('sha256', path, 'base64url')}`;
}

const MOST_PATH_CHARS = 512;

export function queryHash({ query }: ProvenRequest): string | null {
  return query === null ? null : hash('sha256', query, 'base64url');
}
