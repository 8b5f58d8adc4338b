/**
 * A permutation of 0..size-1 that needs no memory: `p -> (a p + b) mod size`. Products stay below 2^53 for
 * any size under 94 million.
 */
export class Affine {
  readonly size: number;
  #a: number;
  #b: number;
  #inverse: number;

  constructor(size: number, seed: number) {
    this.size = Math.max(1, size);
    this.#a = coprime(this.size, seed);
    this.#b = seed % this.size;
    this.#inverse = inverse(this.#a, this.size);
  }

  forward(position: number): number {
    return (this.#a * position + this.#b) % this.size;
  }

  backward(value: number): number {
    return (this.#inverse * ((value - this.#b + this.size) % this.size)) % this.size;
  }
}

function coprime(size: number, seed: number): number {
  let a = (Math.floor(size * 0.6180339887) + (seed % 97)) % size || 1;
  while (gcd(a, size) !== 1) a = (a + 1) % size || 1;
  return a;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** Extended Euclid; `a` and `size` are coprime. */
function inverse(a: number, size: number): number {
  let [r0, r1, t0, t1] = [size, a, 0, 1];
  while (r1 !== 0) {
    const q = Math.floor(r0 / r1);
    [r0, r1] = [r1, r0 - q * r1];
    [t0, t1] = [t1, t0 - q * t1];
  }
  return ((t0 % size) + size) % size;
}
