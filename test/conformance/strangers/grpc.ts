import { goStranger } from '../../../setup/strangers.mjs';
import { printing } from './apps.ts';
import { told } from './clients.ts';
import { askByGrpcJs, startGrpcJs } from './grpc-js.ts';

type Lines = readonly (readonly [name: string, value: string])[];

/** How one call came out, as its caller saw it. */
export type Ending = {
  readonly call: string;
  readonly code: string;
  readonly message: string;
  /** Status details, in hexadecimal. */
  readonly details: readonly string[];
  readonly messages: readonly { readonly length: number; readonly sha256: string }[];
  readonly head: Lines;
  readonly tail: Lines;
};

export const grpcApps = {
  'grpc-js': { program: process.execPath, start: startGrpcJs },
  'grpc-go': { program: goStranger(), start: () => printing(goStranger()!, ['grpc-server']) },
} as const;

/** Programs that make every form of call, one after the other. */
export const grpcClients = {
  'grpc-js': { program: process.execPath, ask: askByGrpcJs },
  'grpc-go': {
    program: goStranger(),
    ask: (address: string) =>
      told<readonly Ending[]>(goStranger()!, ['grpc-client'], { address, authority: 'orders' }),
  },
} as const;
