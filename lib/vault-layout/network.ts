/** A token's network as Vault gives it back: one address without its bits. */
export function asVaultHas(network: string): string {
  return network.replace(/(?<=\.\d+)\/32$/, '').replace(/(?<=:.*)\/128$/, '');
}
