// A program that does with its secrets all that a sidecar must not: the test that searches for secrets has to find these.
// Its arguments are a token, and the file to write its key to.
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const [token, file] = process.argv.slice(2);
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
writeFileSync(String(file), pem);
const held = { pem, d: privateKey.export({ format: 'jwk' }).d };
console.error(
  JSON.stringify({
    event: 'leaked',
    token,
    d: held.d,
    spki: publicKey.export({ type: 'spki', format: 'pem' }),
  }),
);
setInterval(() => held.pem.length, 1000);
