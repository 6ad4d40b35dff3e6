import { KubernetesError } from './error.ts';

/** An object of etcd is at most 1.5 MiB; in JSON six times that, where each character is spelled `\u003c`. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/**
 * The lines of a watch, each the JSON of one event. A last one that is cut off is no event.
 * @throws KubernetesError `K8S_UNAVAILABLE`
 */
export async function* eventLines(what: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let rest = chunk;
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
      const line = Buffer.concat([...parts, rest.subarray(0, end)]);
      [parts, size, rest] = [[], 0, rest.subarray(end + 1)];
      if (line.length > 0) yield parse(what, line);
    }
    size += rest.length;
    if (size > MAX_LINE_BYTES)
      throw new KubernetesError('K8S_UNAVAILABLE', `${what}: an event of over 16 MiB`);
    if (rest.length > 0) parts.push(rest);
  }
}

function parse(what: string, line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch {
    throw new KubernetesError('K8S_UNAVAILABLE', `${what}: an event that is not JSON`);
  }
}
