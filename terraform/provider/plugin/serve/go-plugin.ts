import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';

/** What stands beside a plugin's own service on its connection, as far as its host uses it. */
export interface SideService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

const EMPTY = Buffer.alloc(0);
/** `HealthCheckResponse { status: SERVING }`. */
const SERVING = Buffer.from([0x08, 0x01]);

/** `shutdown` is called when the host has said that it is done. */
export function sideServices(shutdown: () => void): SideService[] {
  return [
    {
      definition: { Shutdown: method('/plugin.GRPCController/Shutdown') },
      implementation: {
        Shutdown: (_call: unknown, answer: (error: null, bytes: Buffer) => void) => {
          answer(null, EMPTY);
          shutdown();
        },
      },
    },
    {
      // What we say goes to stderr itself; the stream stays open until the host closes it.
      definition: { StreamStdio: method('/plugin.GRPCStdio/StreamStdio', { response: true }) },
      implementation: { StreamStdio: () => {} },
    },
    {
      // For connections from plugin to host, of which we make none.
      definition: {
        StartStream: method('/plugin.GRPCBroker/StartStream', { request: true, response: true }),
      },
      implementation: {
        StartStream: (call: NodeJS.ReadableStream & { end(): void }) => {
          call.resume();
          call.on('end', () => call.end());
          call.on('error', () => {});
        },
      },
    },
    {
      definition: { Check: method('/grpc.health.v1.Health/Check') },
      implementation: {
        Check: (_call: unknown, answer: (error: null, bytes: Buffer) => void) => answer(null, SERVING),
      },
    },
  ];
}

function method(path: string, stream: { request?: boolean; response?: boolean } = {}) {
  const same = (bytes: Buffer) => bytes;
  return {
    path,
    requestStream: stream.request === true,
    responseStream: stream.response === true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}
