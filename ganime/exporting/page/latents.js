// What is done with latents (Float32Array each), as ganime.generation.latents and .edits do it, and their .npy files.

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const length = (a) => Math.sqrt(dot(a, a));

/**
 * The point at a share (0 to 1) of the great circle from one latent to another. Of the last numbers, which are weights of
 * labels, so many are on the straight line.
 */
export function slerp(first, last, share, labels = 0) {
  if (share === 0) return first;
  if (share === 1) return last;
  if (labels) {
    const size = first.length - labels;
    const straight = first.map((value, i) => value + share * (last[i] - value));
    straight.set(slerp(first.slice(0, size), last.slice(0, size), share));
    return straight;
  }
  const lengths = length(first) * length(last);
  const angle = lengths ? Math.acos(Math.min(1, Math.max(-1, dot(first, last) / lengths))) : 0;
  const sine = Math.sin(angle);
  const [a, b] = sine > 1e-6 ? [Math.sin((1 - share) * angle) / sine, Math.sin(share * angle) / sine] : [1 - share, share];
  return first.map((value, i) => a * value + b * last[i]);
}

/** The point between two latents, or four (the upper corners first), at [across, down]. */
export function mixture(corners, [across, down], labels = 0) {
  const upper = slerp(corners[0], corners[1], across, labels);
  return corners.length < 4 ? upper : slerp(upper, slerp(corners[2], corners[3], across, labels), down, labels);
}

/** A latent with the weights of a number of labels behind it: 1 for the one, 0 for the others. */
export function withLabel(latent, label, labels) {
  if (!labels) return latent;
  const whole = new Float32Array(latent.length + labels);
  whole.set(latent);
  whole[latent.length + label] = 1;
  return whole;
}

/** A latent moved by edits {name: strength}, and brought back to its length, or to that of the move if this is greater. */
export function applyEdits(latent, strengths, { edits, directions, bends }) {
  const size = latent.length;
  const move = new Float32Array(size);
  for (const [name, strength] of Object.entries(strengths)) {
    const from = edits.indexOf(name) * size;
    if (from < 0) continue;
    for (let i = 0; i < size; i++) move[i] += strength * directions[from + i] + strength ** 2 * bends[from + i];
  }
  const moved = latent.map((value, i) => value + move[i]);
  const factor = Math.max(length(latent), length(move)) / Math.max(length(moved), 1e-12);
  return moved.map((value) => value * factor);
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // "\x93NUMPY"

/** Latents as the bytes of a .npy file, float32 [count, size]: what numpy.save writes. */
export function writeNpy(latents) {
  const count = String(latents.length);
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${count}, ${latents[0].length}), }`;
  header += " ".repeat(21 - count.length); // room for more rows
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const start = 10 + header.length;
  const bytes = new Uint8Array(start + 4 * latents.length * latents[0].length);
  bytes.set([...MAGIC, 1, 0, header.length % 256, header.length >> 8]);
  for (let i = 0; i < header.length; i++) bytes[10 + i] = header.charCodeAt(i);
  const numbers = new DataView(bytes.buffer, start);
  latents.forEach((latent, n) => latent.forEach((value, i) => numbers.setFloat32(4 * (n * latent.length + i), value, true)));
  return bytes;
}

/** The latents of a .npy file (an ArrayBuffer), float32 or float64 [count, size]; an Error says in a sentence what is wrong. */
export function readNpy(buffer, size) {
  const bytes = new Uint8Array(buffer);
  if (bytes.length < 12 || MAGIC.some((byte, i) => bytes[i] !== byte)) throw new Error("it is no .npy file");
  const view = new DataView(buffer);
  const [start, long] = bytes[6] > 1 ? [12, view.getUint32(8, true)] : [10, view.getUint16(8, true)];
  const header = String.fromCharCode(...bytes.subarray(start, Math.min(start + long, start + 4096)));
  const [, order, bits] = header.match(/'descr': '([<>])f([48])'/) ?? [];
  const [, count, width] = header.match(/'shape': \((\d+), (\d+)\)/)?.map(Number) ?? [];
  if (!bits || !count) throw new Error("it must hold float32 or float64 numbers, [count, latent size]");
  if (width !== size) throw new Error(`its latents have ${width} numbers; those of this generator have ${size}`);
  if (bytes.length !== start + long + bits * count * size) throw new Error("it is damaged");
  const columns = header.includes("'fortran_order': True");
  const read = bits === "4" ? view.getFloat32.bind(view) : view.getFloat64.bind(view);
  return Array.from({ length: count }, (_, n) =>
    Float32Array.from({ length: size }, (_, i) => {
      const value = read(start + long + bits * (columns ? i * count + n : n * size + i), order === "<");
      if (!Number.isFinite(Math.fround(value)))
        throw new Error(`its latent ${n}, counted from 0, has a number that is not finite`);
      return value;
    }),
  );
}
