// The latent of a seed, as NumPy draws it: numpy.random.RandomState(seed).standard_normal(size), frozen for ever.

/** The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded with one number of 32 bits. */
class Twister {
  constructor(seed) {
    this.words = new Uint32Array(624);
    this.words[0] = seed;
    for (let i = 1; i < 624; i++) {
      const last = this.words[i - 1];
      this.words[i] = Math.imul(1812433253, last ^ (last >>> 30)) + i;
    }
    this.next = 624;
  }

  twist() {
    const words = this.words;
    for (let i = 0; i < 624; i++) {
      const y = (words[i] & 0x80000000) | (words[(i + 1) % 624] & 0x7fffffff);
      words[i] = words[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }

  word() {
    if (this.next === 624) this.twist();
    let y = this.words[this.next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ (y >>> 18);
  }

  /** A number from 0 to below 1, of 53 bits. */
  double() {
    return ((this.word() >>> 5) * 67108864 + (this.word() >>> 6)) / 9007199254740992;
  }
}

export const MOST_SEED = 2 ** 32 - 1;

/** The latent of a seed (0 to 2**32 - 1), Float32Array [size]: normal numbers by Marsaglia's polar method, in NumPy's order. */
export function fromSeed(seed, size, truncation = 1) {
  const twister = new Twister(seed);
  const latent = new Float32Array(size);
  for (let i = 0; i < size; i += 2) {
    let x, y, square;
    do {
      x = 2 * twister.double() - 1;
      y = 2 * twister.double() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    latent[i] = factor * y;
    if (i + 1 < size) latent[i + 1] = factor * x;
  }
  return scale(latent, truncation);
}

/** A latent times the truncation, as float32 numbers multiply. */
export function scale(latent, truncation) {
  const factor = Math.fround(truncation);
  return latent.map((value) => value * factor);
}
