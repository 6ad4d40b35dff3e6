import type { Program } from '../processes.ts';

/** What the server side of a row is to do. */
export type Task = {
  /** Begins the names of the files that are written for it. */
  readonly name: string;
  /** Where keys, certificates and policies lie. */
  readonly folder: string;
  readonly port: number;
  /** The app's port; for `grpc` it speaks HTTP/2. */
  readonly app: number;
  readonly protocol: 'http1' | 'http2' | 'grpc';
  readonly workers: 1 | 2;
  /** Documents of the policy, for those who have one. */
  readonly rules: number;
};

/** What the client side of a pair is to do: plain HTTP/1.1 in, mTLS to `upstream` out. */
export type OutboundTask = Pick<Task, 'name' | 'folder' | 'port'> & { readonly upstream: number };

export type Peer = {
  readonly name: string;
  /** Whether its code is compiled while it runs, so that it must be warm before it is measured. */
  readonly settles: boolean;
  inbound(task: Task): Program[];
  outbound?(task: OutboundTask): Program;
};
