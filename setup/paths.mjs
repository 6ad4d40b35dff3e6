import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone's top folder, and what set-up keeps in it. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const cache = join(root, '.cache');
export const modules = join(root, 'node_modules');
