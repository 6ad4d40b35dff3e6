import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServiceError,
  type StatusObject,
  status,
} from '@grpc/grpc-js';

/** Messages are bytes here: the proxies do not know what is in them either. */
const raw = (bytes: Buffer): Buffer => bytes;

function method(
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<Buffer, Buffer> {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: raw,
    requestDeserialize: raw,
    responseSerialize: raw,
    responseDeserialize: raw,
  };
}

const SERVICE = {
  unary: method('/shop.Echo/Unary', false, false),
  collect: method('/shop.Echo/Collect', true, false),
  repeat: method('/shop.Echo/Repeat', false, true),
  talk: method('/shop.Echo/Talk', true, true),
  cancelled: method('/shop.Echo/Cancelled', false, false),
} as const;

export type Handlers = {
  readonly unary: handleUnaryCall<Buffer, Buffer>;
  readonly collect: handleClientStreamingCall<Buffer, Buffer>;
  readonly repeat: handleServerStreamingCall<Buffer, Buffer>;
  readonly talk: handleBidiStreamingCall<Buffer, Buffer>;
  /** Answers once a call was cancelled. */
  readonly cancelled: handleUnaryCall<Buffer, Buffer>;
};

/** Gives back what it is given: whole, joined, ten times, and one for one. */
const echoes: Handlers = {
  unary(call, reply) {
    const trailer = new Metadata();
    trailer.set('x-trailer', 'last');
    trailer.set('x-binary-bin', Buffer.from([0, 255, 10, 13]));
    const head = new Metadata();
    for (const value of call.metadata.get('x-echo')) head.add('x-echo', value);
    for (const value of call.metadata.get('x-signet-caller')) head.add('caller', value);
    call.sendMetadata(head);
    reply(null, call.request, trailer);
  },
  collect(call, reply) {
    const pieces: Buffer[] = [];
    call.on('data', (piece: Buffer) => pieces.push(piece));
    call.on('end', () => reply(null, Buffer.concat(pieces)));
  },
  repeat(call) {
    for (let i = 0; i < 10; i++) call.write(Buffer.from(`${call.request} ${i}`));
    call.end();
  },
  talk(call) {
    call.on('data', (piece: Buffer) => call.write(piece));
    call.on('end', () => call.end());
  },
  cancelled(_call, reply) {
    reply({ code: status.UNIMPLEMENTED });
  },
};

/** An app of gRPC. */
export class GrpcApp implements AsyncDisposable {
  readonly server = new Server({ 'grpc.max_receive_message_length': -1 });
  port = 0;

  static async start(handlers: Partial<Handlers> = {}): Promise<GrpcApp> {
    const app = new GrpcApp();
    app.server.addService(SERVICE, { ...echoes, ...handlers });
    app.port = await new Promise<number>((resolve, reject) => {
      app.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
    return app;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.forceShutdown();
  }
}

/** What a call came to. */
export type Outcome = {
  readonly code: number;
  readonly details: string;
  readonly messages: readonly string[];
  readonly head: Metadata | null;
  readonly tail: Metadata | null;
};

/** A caller that speaks gRPC in plain text with `address` and asks for the service `orders`. */
export class GrpcClient implements Disposable {
  private readonly client: Client;

  constructor(address: string, options: ChannelOptions = {}) {
    this.client = new Client(address, credentials.createInsecure(), {
      'grpc.default_authority': 'orders',
      'grpc.max_receive_message_length': -1,
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
  }

  unary(
    body: string | Buffer,
    metadata = new Metadata(),
    deadlineMs = 10_000,
    method = 'Unary',
  ): Promise<Outcome> {
    return this.answer((reply) =>
      this.client.makeUnaryRequest(
        `/shop.Echo/${method}`,
        raw,
        raw,
        Buffer.from(body),
        metadata,
        { deadline: Date.now() + deadlineMs },
        reply,
      ),
    );
  }

  collect(bodies: readonly (string | Buffer)[]): Promise<Outcome> {
    return this.answer((reply) => {
      const call = this.client.makeClientStreamRequest(
        SERVICE.collect.path,
        raw,
        raw,
        new Metadata(),
        {},
        reply,
      );
      for (const body of bodies) call.write(Buffer.from(body));
      call.end();
      return call;
    });
  }

  repeat(body: string): Promise<Outcome> {
    const call = this.client.makeServerStreamRequest(SERVICE.repeat.path, raw, raw, Buffer.from(body));
    return outcomeOf(call);
  }

  talk(
    metadata = new Metadata(),
    deadline: number = Number.POSITIVE_INFINITY,
  ): ClientDuplexStream<Buffer, Buffer> {
    return this.client.makeBidiStreamRequest(SERVICE.talk.path, raw, raw, metadata, { deadline });
  }

  [Symbol.dispose](): void {
    this.client.close();
  }

  private async answer(
    call: (reply: (error: ServiceError | null, value?: Buffer) => void) => NodeJS.EventEmitter,
  ): Promise<Outcome> {
    const got: { head: Metadata | null; tail: Metadata | null } = { head: null, tail: null };
    let [code, details, message] = [0, '', ''];
    await new Promise<void>((resolve) => {
      const emitter = call((error, value) => {
        code = error?.code ?? 0;
        details = error?.details ?? '';
        message = value?.toString('latin1') ?? '';
      });
      emitter.on('metadata', (metadata: Metadata) => {
        got.head = metadata;
      });
      emitter.on('status', (status: { metadata: Metadata }) => {
        got.tail = status.metadata;
        resolve();
      });
    });
    await new Promise((resolve) => setImmediate(resolve));
    return { code, details, messages: message === '' ? [] : [message], ...got };
  }
}

/** Reads a call's answers to their end. */
export async function outcomeOf(call: NodeJS.EventEmitter): Promise<Outcome> {
  const messages: string[] = [];
  let head: Metadata | null = null;
  call.on('metadata', (metadata: Metadata) => {
    head = metadata;
  });
  call.on('data', (piece: Buffer) => messages.push(piece.toString('latin1')));
  // the status tells the same
  call.on('error', () => {});
  const status = await new Promise<StatusObject>((resolve) => call.on('status', resolve));
  return { code: status.code, details: status.details, messages, head, tail: status.metadata };
}
