// Larger pictures, to the bit as Pillow makes them (Image.resize with LANCZOS, which ganime's --scale uses), or of squares.

const ONE = 2 ** 22; // Pillow's weights are integers

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** For each pixel of an enlarged row, the first pixel that it is made of and the weights of this one and the next ones. */
function lanczos(size, scale) {
  return Array.from({ length: size * scale }, (_, i) => {
    const center = (i + 0.5) * (1 / scale);
    const first = Math.max(0, Math.trunc(center - 3 + 0.5));
    const weights = [];
    for (let x = first; x < Math.min(size, Math.trunc(center + 3 + 0.5)); x++) {
      const place = x - center + 0.5;
      weights.push(place >= -3 && place < 3 ? sinc(place) * sinc(place / 3) : 0);
    }
    const sum = weights.reduce((a, b) => a + b);
    return [first, weights.map((weight) => Math.trunc((weight * ONE) / sum + (weight < 0 ? -0.5 : 0.5)))];
  });
}

/** RGBA rows, each `scale` times as long, turned by a quarter (rows become columns), so that two calls do both sides. */
function stretch(pixels, width, height, scale) {
  const weights = lanczos(width, scale);
  const larger = new Uint8ClampedArray(pixels.length * scale);
  for (let x = 0; x < weights.length; x++) {
    const [first, factors] = weights[x];
    for (let y = 0; y < height; y++) {
      const to = 4 * (x * height + y);
      for (let channel = 0; channel < 4; channel++) {
        let sum = ONE / 2;
        for (let k = 0; k < factors.length; k++) sum += factors[k] * pixels[4 * (y * width + first + k) + channel];
        larger[to + channel] = Math.floor(sum / ONE);
      }
    }
  }
  return larger;
}

/** A picture (Uint8ClampedArray, RGBA) an integer factor larger: smooth, or with each pixel a square. */
export function enlarge(pixels, width, height, scale, sharp) {
  if (scale === 1) return pixels;
  if (!sharp) return stretch(stretch(pixels, width, height, scale), height, width * scale, scale);
  const larger = new Uint32Array(width * height * scale * scale);
  const from = new Uint32Array(pixels.buffer, pixels.byteOffset, width * height);
  for (let y = 0; y < height * scale; y++) {
    const row = Math.floor(y / scale) * width;
    for (let x = 0; x < width * scale; x++) larger[y * width * scale + x] = from[row + Math.floor(x / scale)];
  }
  return new Uint8ClampedArray(larger.buffer);
}
