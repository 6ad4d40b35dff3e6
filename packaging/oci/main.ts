// `npm run image`: the container image, into dist/image.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../../setup/paths.mjs';
import { buildImage } from './image.ts';

const { values } = parseArgs({
  options: { out: { type: 'string' }, name: { type: 'string' }, revision: { type: 'string' } },
});
const { name, digest, archive, platforms } = await buildImage({
  out: resolve(values.out ?? join(root, 'dist/image')),
  name: values.name,
  revision: values.revision,
  epoch: Number(process.env['SOURCE_DATE_EPOCH'] ?? 0),
});
for (const each of platforms)
  console.log(`linux/${each.architecture} ${each.digest} ${(each.size / 1e6).toFixed(1)} MB`);
console.log(`index ${digest}`);
console.log(`${archive} holds ${name}`);
