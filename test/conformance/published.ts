import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const beside = fileURLToPath(new URL('../../../shared/vectors', import.meta.url));

/**
 * Published test data, which is kept beside the checkout or where `SIGNET_VECTORS` points, or null where there is none.
 * @throws Error when it is missing with CI=true
 */
export function published(file: string): unknown {
  const text = publishedText(file);
  return text === null ? null : JSON.parse(text);
}

/** As `published`, of what is no JSON. */
export function publishedText(file: string): string | null {
  const path = `${process.env['SIGNET_VECTORS'] ?? beside}/${file}`;
  if (existsSync(path)) return readFileSync(path, 'utf8');
  if (process.env['CI'] === 'true')
    throw new Error(`${file} is not in SIGNET_VECTORS, nor beside the checkout`);
  return null;
}
