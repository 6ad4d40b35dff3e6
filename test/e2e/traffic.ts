import { Agent, request } from 'node:http';

export type Traffic = {
  /** Ends it when every request under way has its outcome, and tells how often each came: `200`, `502 upstream_unreachable`, `ECONNREFUSED`. */
  stop(): Promise<Readonly<Record<string, number>>>;
};

/**
 * Eight callers that ask the upstream `orders` one request after the other, half of them over a new connection each time. They go on
 * whatever the outcome. `posts`: every second request is a POST, which may not be sent twice.
 */
export function startTraffic(outbound: string, { posts = false } = {}): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const [host, port] = outbound.split(':');
  const outcomes: Record<string, number> = {};
  let stopped = false;
  let sent = 0;
  const one = (kept: boolean) =>
    new Promise<void>((resolve) => {
      const tell = (outcome: string) => {
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        resolve();
      };
      const options = {
        method: posts && sent++ % 2 === 1 ? 'POST' : 'GET',
        host,
        port,
        agent: kept ? agent : false,
        path: '/orders/7',
        headers: { Host: 'orders' },
      };
      request(options, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('error', (error) => tell(`cut: ${error.message}`));
        response.on('end', () => tell(outcomeOf(response.statusCode ?? 0, body)));
      })
        .on('error', (error: NodeJS.ErrnoException) => tell(error.code ?? error.message))
        .end();
    });
  const lane = async (number: number) => {
    while (!stopped) await one(number % 2 === 0);
  };
  const lanes = Promise.all(Array.from({ length: 8 }, (_, number) => lane(number)));
  return {
    async stop() {
      stopped = true;
      await lanes;
      agent.destroy();
      return outcomes;
    },
  };
}

function outcomeOf(status: number, body: string): string {
  if (status === 200) return body === 'ordered' ? '200' : '200 with another body';
  return `${status} ${JSON.parse(body).code}`;
}
