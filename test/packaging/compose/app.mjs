// An app as examples/compose has it: it listens on 127.0.0.1:8080, and knows nothing of Signet.
import { createServer } from 'node:http';

createServer(({ headers }, response) => response.end(`called by ${headers['x-signet-caller']}\n`)).listen(
  8080,
  '127.0.0.1',
  () => process.stderr.write(`${JSON.stringify({ event: 'listening' })}\n`),
);
