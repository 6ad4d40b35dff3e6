import { stat } from 'node:fs/promises';
import type { Secret } from '../../secret.ts';
import { KubernetesError } from './error.ts';

/** What a request to an API server needs at this moment. */
export type Access = {
  readonly server: URL;
  readonly tls: AccessTls;
  readonly token?: Secret;
};

export type AccessTls = {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
};

export interface AccessSource {
  /** @throws KubernetesError `K8S_UNAVAILABLE` when there is none to be had */
  current(): Promise<Access>;
  /** The server did not accept it: made anew before it is used again. */
  forget(): void;
}

export interface Reread<T> {
  current(): Promise<T>;
  forget(): void;
}

/** Keeps what `load` made until one of the files it read is another than before. What cannot be read is not guessed. */
export function rereading<T>(
  cluster: string,
  load: () => Promise<{ readonly value: T; readonly files: readonly string[] }>,
): Reread<T> {
  let kept: { readonly value: T; readonly files: readonly string[]; readonly marks: string } | undefined;
  let looking: Promise<T> | undefined;

  const look = async (): Promise<T> => {
    if (kept !== undefined && kept.marks === (await marksOf(kept.files))) return kept.value;
    kept = undefined;
    const loaded = await load();
    kept = { ...loaded, marks: await marksOf(loaded.files) };
    return loaded.value;
  };

  return {
    async current() {
      looking ??= look().finally(() => {
        looking = undefined;
      });
      try {
        return await looking;
      } catch (error) {
        throw unreadable(cluster, error);
      }
    },
    forget() {
      kept = undefined;
    },
  };
}

/** By Node's code alone: the message of a parser, or of a program, may quote the credential. */
export function unreadable(cluster: string, why: unknown): KubernetesError {
  if (why instanceof KubernetesError) return why;
  const text = typeof why === 'string' ? why : (why as NodeJS.ErrnoException | undefined)?.code;
  return new KubernetesError(
    'K8S_UNAVAILABLE',
    `${cluster}: the credentials cannot be had: ${text ?? 'what is there is none'}`,
  );
}

async function marksOf(files: readonly string[]): Promise<string> {
  const marks = await Promise.all(
    files.map(async (file) => {
      const { ino, mtimeMs, size } = await stat(file);
      return `${ino} ${mtimeMs} ${size}`;
    }),
  );
  return marks.join('\n');
}
