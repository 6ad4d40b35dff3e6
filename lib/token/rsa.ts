/** Below the one a key can be broken, above the other verifying takes too long. */
const LEAST_BITS = 2_048;
const MOST_BITS = 8_192;

/** Why nobody should trust this RSA key, or null. Both numbers are big-endian (RFC 7518 §6.3.1). */
export function rsaFlaw(modulus: Uint8Array, exponent: Uint8Array): string | null {
  const [n, e] = [numberOf(modulus), numberOf(exponent)];
  const bits = n.toString(2).length;
  if (bits < LEAST_BITS || bits > MOST_BITS)
    return `an RSA key of ${bits} bits, not of ${LEAST_BITS} to ${MOST_BITS}`;
  if (n % 2n === 0n) return 'an RSA key with an even modulus';
  // with 1 the message is its own signature
  if (e < 3n || e % 2n === 0n || e >= 2n ** 64n) return 'an RSA key with such an exponent';
  return isRoca(n) ? 'an RSA key of a broken generator (ROCA, CVE-2017-15361)' : null;
}

const PRIMES = [
  ...[3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97],
  ...[101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167],
];
/** For each prime, what powers of 65537 leave. */
const POWERS = PRIMES.map((p) => {
  const left = new Set<number>();
  for (let x = 1; !left.has(x); x = (x * 65_537) % p) left.add(x);
  return left;
});

/** Keys of that generator leave a power of 65537 by every small prime; of others, about one in 2^28 does. */
function isRoca(n: bigint): boolean {
  return PRIMES.every((p, i) => POWERS[i]!.has(Number(n % BigInt(p))));
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
