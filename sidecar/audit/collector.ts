import type { BrokerSettings } from '../identity/broker-client.ts';
export type Collecting = {
  readonly broker: BrokerSettings;
  readonly bufferBytes: number;
  readonly whenFull: 'refuse' | 'drop' | null;
};
export interface Collector {
  readonly accepting: boolean;
  readonly gap: number | null;
  readonly status: object;
  push(line: string, seq: number): void;
  closeGap(): void;
  close(deadlineMs: number): Promise<boolean>;
}
export function createCollector(_deps: unknown): Collector {
  throw new Error('none');
}
