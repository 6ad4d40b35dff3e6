/** What lies in an image or a package. `path` has no slash at either end; folders above it are made for it. */
export type Entry =
  | { readonly path: string; readonly kind: 'file'; readonly content: Uint8Array; readonly mode?: number }
  | { readonly path: string; readonly kind: 'folder'; readonly mode?: number }
  | { readonly path: string; readonly kind: 'link'; readonly target: string };

/** @param mode left out, anybody may read it and nobody run it */
export function file(path: string, content: Uint8Array | string, mode = 0o644): Entry {
  return { path, kind: 'file', content: typeof content === 'string' ? Buffer.from(content) : content, mode };
}
