import assert from 'node:assert/strict';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { GrpcClient } from '../../sidecar/http2/grpc-app.ts';
import { Http2App } from '../../sidecar/http2/world.ts';
import { pair } from '../../sidecar/outbound/world.ts';
import { ASKERS } from './asking.ts';

const HEAD = 'HTTP/1.1 200 OK\r\n';
const PART = 'half of it';
const LARGE = 'x'.repeat(100_000);

/** Answers that break off, by how they are framed. */
const framings: Readonly<Record<string, string>> = {
  'a length': `${HEAD}content-length: 1000000\r\n\r\n`,
  chunks: `${HEAD}transfer-encoding: chunked\r\n\r\n`,
};
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const pieces: Readonly<Record<string, (framing: string) => string>> = {
  'after its head': () => '',
  'in a small body': (framing) => (framing === 'chunks' ? chunk(PART) : PART),
  'in a large body': (framing) => (framing === 'chunks' ? chunk(LARGE) : LARGE),
};
const answers: [string, string][] = Object.entries(framings).flatMap(([framing, head]) =>
  Object.entries(pieces).map(([where, text]): [string, string] => [
    `${framing}, ${where}`,
    head + text(framing),
  ]),
);
answers.push(
  ['chunks, within one', `${framings['chunks']}64\r\n${PART}`],
  ['chunks, before the last', `${framings['chunks']}${chunk(PART)}`],
  ['chunks, within the last', `${framings['chunks']}${chunk(PART)}0\r\n`],
  ['chunks, in the trailers', `${framings['chunks']}${chunk(PART)}0\r\nx-sum: 1\r\n`],
);
const UNTIL_CLOSE = `${HEAD}\r\n${PART}`;

const ways: Readonly<Record<string, (socket: Socket) => void>> = {
  'ends the connection': (socket) => socket.end(),
  'resets it': (socket) => void setTimeout(() => socket.resetAndDestroy(), 20),
};

describe('app trouble', function () {
  this.timeout(30_000);

  for (const [protocol, ask] of Object.entries(ASKERS)) {
    for (const [way, end] of Object.entries(ways))
      it(`${protocol}: an answer is never taken for whole when the app ${way} in the middle`, async () => {
        let answer = '';
        await using p = await pair({
          inbound: {
            answer: ({ socket }) => {
              socket.write(answer);
              end(socket);
            },
          },
        });
        for (const [where, text] of answers) {
          // no app answers HTTP/1.0 in chunks, and no caller would understand it
          if (protocol === 'HTTP/1.0' && where.startsWith('chunks')) continue;
          answer = text;
          const { whole, status } = await ask(p.outbound.address);
          assert.deepEqual([where, whole, status], [where, false, status]);
        }
        if (way === 'resets it') {
          answer = UNTIL_CLOSE;
          assert.equal((await ask(p.outbound.address)).whole, false, 'until the connection ends');
        }
      });

    it(`${protocol}: an answer that lasts until the app ends the connection is whole`, async () => {
      await using p = await pair({ inbound: { answer: ({ socket }) => void socket.end(UNTIL_CLOSE) } });
      const { whole, body } = await ask(p.outbound.address);
      assert.deepEqual([whole, body], [true, PART]);
    });
  }

  for (const [what, ask] of Object.entries({
    'a stream of HTTP/2': async (address: string) => (await ASKERS['HTTP/2']!(address)).whole,
    'a call of gRPC': async (address: string) => {
      using client = new GrpcClient(address);
      return (await client.unary('x')).code === 0;
    },
  }))
    it(`${what} is never taken for whole when the app leaves it in the middle`, async () => {
      let leave: (stream: ServerHttp2Stream) => void = () => {};
      await using app = await Http2App.start((stream, { 'content-type': type = 'text/plain' }) => {
        stream.respond({ ':status': 200, 'content-type': type });
        // to gRPC a whole message, without the status behind it
        stream.write(Buffer.from([0, 0, 0, 0, 1, 1]), () => setTimeout(() => leave(stream), 20));
      });
      await using p = await pair({ inbound: { app: { host: '127.0.0.1', port: app.port, h2c: true } } });
      // node by itself would end a stream before it closes it
      const closing = (code: number) => (stream: ServerHttp2Stream) => {
        stream.end = () => stream;
        stream.close(code);
      };
      const leaving: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
        'by NO_ERROR': closing(constants.NGHTTP2_NO_ERROR),
        'by CANCEL': closing(constants.NGHTTP2_CANCEL),
        'by INTERNAL_ERROR': closing(constants.NGHTTP2_INTERNAL_ERROR),
        'by the end of its connection': ({ session }) => session?.socket.destroySoon(),
        'by the death of its connection': ({ session }) => session?.destroy(),
      };
      for (const [how, act] of Object.entries(leaving)) {
        leave = act;
        assert.equal(await ask(p.outbound.address), false, how);
      }
    });
});
