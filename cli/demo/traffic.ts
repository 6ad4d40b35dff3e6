import { Agent, request } from 'node:http';

export type Traffic = {
  /** Ends the traffic once every request under way has its answer. */
  stop(): Promise<{ readonly requests: number; readonly failures: readonly string[] }>;
};

/** `lanes` callers that ask an app for `path` one request after the other, without a pause, over kept-alive connections. */
export function startTraffic(port: number, path: string, lanes: number): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  const failures: string[] = [];
  let requests = 0;
  let stopped = false;
  const once = () =>
    new Promise<void>((resolve) => {
      requests++;
      const asked = request({ host: '127.0.0.1', port, path, agent }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (text: string) => (body += text));
        answer.on('error', (error) => failures.push(error.message));
        answer.on('close', () => {
          if (answer.statusCode !== 200) failures.push(`${answer.statusCode} ${body.slice(0, 200)}`);
          resolve();
        });
      });
      asked.on('error', (error) => {
        failures.push(error.message);
        resolve();
      });
      asked.end();
    });
  const lane = async () => {
    while (!stopped) await once();
  };
  const running = Promise.all(Array.from({ length: lanes }, lane));
  return {
    async stop() {
      stopped = true;
      await running;
      agent.destroy();
      return { requests, failures };
    },
  };
}
