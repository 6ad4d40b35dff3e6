import type { ServerHttp2Stream } from 'node:http2';
import { PROBLEM_TYPE, type Problem, problemDocument } from '../http1/index.ts';
import { grpcRefusal } from './grpc.ts';

/** Answers a stream with a refusal, in the way its caller understands: a problem document, or a status of gRPC. */
export function refuseStream(
  stream: ServerHttp2Stream,
  problem: Problem,
  { grpc, isHead }: { readonly grpc: boolean; readonly isHead: boolean },
): void {
  const options = { endStream: grpc || isHead, sendDate: false };
  if (grpc) {
    stream.respond(grpcRefusal(problem), options);
    return;
  }
  const body = Buffer.from(problemDocument(problem));
  const fields = [
    ...[':status', String(problem.status)],
    ...['content-type', PROBLEM_TYPE],
    ...['content-length', String(body.length)],
    ...['cache-control', 'no-store'],
  ];
  stream.respond(fields, options);
  if (!isHead) stream.end(body);
}
