import { connect, constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { duplexPair } from 'node:stream';
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { ORDERS_SERVICE, type Order, type Step } from './orders-service.ts';

/** Serves gRPC on streams of an HTTP/2 server that serves other things too. */
export function createGrpc(): { serve(stream: ServerHttp2Stream, fields: IncomingHttpHeaders): void } {
  const server = new Server();
  server.addService(ORDERS_SERVICE, { track, cancel });
  // grpc-js answers nothing but gRPC on its connections, so it gets one of its own, within the process
  const [ours, theirs] = duplexPair();
  server.createConnectionInjector(ServerCredentials.createInsecure()).injectConnection(theirs);
  const calls = connect('http://orders', { createConnection: () => ours });
  return {
    serve(stream, fields) {
      const call = calls.request(fields);
      let trailers: IncomingHttpHeaders = {};
      call.on('trailers', (received) => {
        trailers = received;
      });
      call.on('response', (head, flags) => {
        const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
        stream.respond(head, { endStream, waitForTrailers: !endStream });
        if (!endStream) call.pipe(stream);
      });
      call.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      stream.on('close', () => call.close(constants.NGHTTP2_CANCEL));
      stream.pipe(call);
    },
  };
}

const track: handleServerStreamingCall<Order, Step> = (call) => {
  const caller = String(call.metadata.get('x-signet-caller')[0]);
  for (const step of ['packed', 'shipped', 'delivered']) call.write({ step, caller });
  call.end();
};

const cancel: handleUnaryCall<Order, Step> = (call, reply) => {
  reply(null, { step: 'cancelled', caller: String(call.metadata.get('x-signet-caller')[0]) });
};
