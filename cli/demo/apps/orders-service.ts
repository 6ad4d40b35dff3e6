import type { MethodDefinition } from '@grpc/grpc-js';

/** The gRPC service `shop.Orders`, as both ends know it. Its messages are JSON; the sidecars do not know what is in them. */
export const ORDERS_SERVICE = {
  track: method('/shop.Orders/Track', true),
  cancel: method('/shop.Orders/Cancel', false),
} as const;

export type Order = { readonly order: string };
export type Step = { readonly step: string; readonly caller: string };

function method(path: string, responseStream: boolean): MethodDefinition<Order, Step> {
  return {
    path,
    requestStream: false,
    responseStream,
    requestSerialize: toBytes,
    requestDeserialize: fromBytes<Order>,
    responseSerialize: toBytes,
    responseDeserialize: fromBytes<Step>,
  };
}

function toBytes(message: object): Buffer {
  return Buffer.from(JSON.stringify(message));
}

function fromBytes<T>(bytes: Buffer): T {
  return JSON.parse(bytes.toString()) as T;
}
