// Renders the provider's copy of Terraform's plugin protocol as data, after a change of its .proto file.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { root } from './paths.mjs';

const folder = join(root, 'terraform/provider/plugin/proto');
/** Where the rendered file lies. */
export const protocolFile = join(folder, 'tfplugin6.json');

/** The protocol as protobufjs reads it, without comments. */
export function renderProtocol() {
  const text = readFileSync(join(folder, 'tfplugin6.proto'), 'utf8');
  const { root: protocol } = protobuf.parse(text, new protobuf.Root(), { keepCase: true });
  const { nested } = protobuf.common.get('google/protobuf/timestamp.proto') ?? {};
  if (!nested) throw new Error('protobufjs does not know google.protobuf.Timestamp');
  protocol.addJSON(nested);
  protocol.resolveAll();
  return `${JSON.stringify(protocol.toJSON())}\n`;
}

if (process.argv[1] === import.meta.filename) writeFileSync(protocolFile, renderProtocol());
