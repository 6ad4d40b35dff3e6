import { hash } from 'node:crypto';
import { once } from 'node:events';
import { Metadata, type MetadataValue, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { GrpcApp, GrpcClient, type Outcome, outcomeOf } from '../../sidecar/http2/grpc-app.ts';
import { filled } from './asks.ts';
import type { Ending } from './grpc.ts';

/** Any proto that a client shows as it came. */
const DETAILS = Buffer.from('0803120568656c6c6f', 'hex');

/** The app in grpc-js: it does what the one in grpc-go does. */
export async function startGrpcJs(): Promise<AsyncDisposable & { readonly port: number }> {
  let gone = 0;
  const waiting: (() => void)[] = [];
  const cancelled = () => {
    gone++;
    waiting.shift()?.();
  };
  return GrpcApp.start({
    unary(call, reply) {
      call.sendMetadata(echoed(call));
      const tail = new Metadata();
      tail.set('x-trailer', 'last');
      tail.set('x-binary-bin', Buffer.from([0, 255, 10, 13]));
      const [code] = call.metadata.get('x-fail');
      if (call.metadata.get('x-wait').length > 0) call.on('cancelled', cancelled);
      else if (code === undefined) reply(null, call.request, tail);
      else {
        tail.set('grpc-status-details-bin', DETAILS);
        reply({ code: Number(code), details: String(call.request), metadata: tail });
      }
    },
    talk(call) {
      call.on('cancelled', cancelled);
      call.on('data', (piece: Buffer) => call.write(piece));
      call.on('end', () => call.end());
    },
    repeat(call) {
      for (let i = 0; i < 10; i++) call.write(Buffer.concat([call.request, Buffer.from(` ${i}`)]));
      call.end();
    },
    cancelled(_call, reply) {
      const told = () => {
        gone--;
        reply(null, Buffer.from('cancelled'));
      };
      if (gone > 0) told();
      else waiting.push(told);
    },
  });
}

function echoed(call: ServerUnaryCall<Buffer, Buffer>): Metadata {
  const head = new Metadata();
  for (const name of ['x-echo', 'x-echo-bin'])
    for (const value of call.metadata.get(name)) head.add(name, value);
  return head;
}

/** Calls an app by grpc-js in every form there is. */
export async function askByGrpcJs(address: string): Promise<readonly Ending[]> {
  using client = new GrpcClient(address);
  using compressing = new GrpcClient(address, { 'grpc.default_compression_algorithm': 2 });
  const endings: Ending[] = [];
  const tell = async (call: string, outcome: Promise<Outcome>) => endings.push(ending(call, await outcome));

  await tell('unary', client.unary('hello'));
  await tell('an empty message', client.unary(''));
  await tell('8 MiB both ways', client.unary(filled(8 << 20)));
  await tell('compressed', compressing.unary(filled(1 << 20)));
  await tell('no such method', client.unary('hello', new Metadata(), 10_000, 'Nothing'));
  const asking = new Metadata();
  for (const value of ['one', 'two']) asking.add('x-echo', value);
  for (const value of [Buffer.from([0, 255, 13, 10]), Buffer.alloc(0)]) asking.add('x-echo-bin', value);
  await tell('metadata', client.unary('hello', asking));
  for (const code of [1, 3, 5, 7, 8, 9, 10, 13, 14, 16])
    await tell(`failure ${code}`, client.unary('n\u00f6: 100 %', metadata('x-fail', String(code))));

  const words = ['a', 'b', '', 'c'];
  await tell('client streaming', client.collect(words));
  await tell('client streaming of nothing', client.collect([]));
  await tell('client streaming of 16 MiB', client.collect(Array(16).fill(filled(1 << 20))));
  await tell('server streaming', client.repeat('again'));
  await tell('server streaming of 10 MiB', client.repeat(filled(1 << 20).toString('latin1')));
  for (const said of [words, []]) {
    const call = client.talk();
    for (const word of said) call.write(Buffer.from(word));
    call.end();
    await tell(`bidirectional of ${said.length}`, outcomeOf(call));
  }

  await tell('deadline', client.unary('', metadata('x-wait', '1'), 300));
  await tell('deadline, as the server saw it', client.unary('', new Metadata(), 10_000, 'Cancelled'));
  const call = client.talk(metadata('x-wait', '1'));
  const outcome = outcomeOf(call);
  call.write(Buffer.from('one'));
  await once(call, 'data');
  call.cancel();
  await tell('cancelled', outcome);
  await tell('cancelled, as the server saw it', client.unary('', new Metadata(), 10_000, 'Cancelled'));
  return endings;
}

function metadata(name: string, value: string): Metadata {
  const made = new Metadata();
  made.set(name, value);
  return made;
}

function ending(call: string, { code, details, messages, head, tail }: Outcome): Ending {
  return {
    call,
    code: status[code] ?? String(code),
    message: details,
    details: [],
    messages: messages.map((text) => {
      const bytes = Buffer.from(text, 'latin1');
      return { length: bytes.length, sha256: hash('sha256', bytes) };
    }),
    head: lines(head),
    tail: lines(tail),
  };
}

function lines(from: Metadata | null): Ending['head'] {
  const all: Record<string, MetadataValue[]> = from?.toJSON() ?? {};
  const shown = (value: MetadataValue) => (typeof value === 'string' ? value : value.toString('hex'));
  return Object.entries(all)
    .flatMap(([name, values]) => values.map((value) => [name, shown(value)] as const))
    .sort();
}
