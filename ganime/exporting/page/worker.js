// Draws faces, away from the page so that it never stutters. It loads nothing itself.
//
// In:  {type: "open", model: ArrayBuffer, kernel: ArrayBuffer | null}
//      {type: "draw", id, latents: Float32Array [count, latentSize]}
// Out: {type: "ready", how: "wasm" | "javascript", latentSize, height, width, labels, edits, directions, bends, facts}
//      {type: "drawn", id, pixels: Uint8ClampedArray [count, height, width, RGBA]}
//      {type: "failed", id, message}
"use strict";

const BATCH = 4; // faces at a time: they share what is read of the weights
const FORMAT = "ganime-web-1";
const INTACT = 0x2144df1c; // what CRC-32 makes of all that ends with its own CRC-32
const BLOCK = 32; // inputs of an int8 kernel that share a scale
const TYPES = { F32: Float32Array, F16: Uint16Array, I8: Int8Array, U8: Uint8Array };
const BROKEN = "The page's kernel.wasm is damaged: load the page again, or export it again.";
const DAMAGED = "The generator's file is damaged, or is not one: load the page again, or export it again.";
const FOREIGN = "The generator's file was written for another version of this page: export it again.";

let opened = null;

self.onmessage = ({ data }) => {
  try {
    if (data.type === "open") {
      const { layers, ...facts } = readModel(data.model);
      const [how, paint] = openPainter(layers, facts, data.kernel);
      opened = { ...facts, paint };
      self.postMessage({ type: "ready", how, ...facts });
    } else {
      const pixels = draw(data.latents, opened);
      self.postMessage({ type: "drawn", id: data.id, pixels }, [pixels.buffer]);
    }
  } catch (error) {
    const message = error instanceof Refusal ? error.message : `This browser cannot draw this generator's faces (${error}).`;
    self.postMessage({ type: "failed", id: data.id, message });
  }
};

class Refusal extends Error {}

function check(condition, message = DAMAGED) {
  if (!condition) throw new Refusal(message);
}

function draw(latents, { latentSize, height, width, paint }) {
  const count = latents.length / latentSize;
  const size = height * width * 4;
  const pixels = new Uint8ClampedArray(count * size);
  for (let i = 0; i < count; i += BATCH) {
    pixels.set(paint(latents.subarray(i * latentSize, (i + BATCH) * latentSize)), i * size);
  }
  return pixels;
}

// The file --------------------------------------------------------------------------------------------------------------------

function readModel(buffer) {
  try {
    return parseModel(buffer);
  } catch (error) {
    throw error instanceof Refusal ? error : new Refusal(DAMAGED);
  }
}

function parseModel(buffer) {
  check(crc32(new Uint8Array(buffer)) === INTACT);
  const [tensors, { format, latent_size, height, width, layers, edits, labels, ...facts }] = readSafetensors(buffer);
  check(format === FORMAT, FOREIGN);
  const model = { latentSize: Number(latent_size), height: Number(height), width: Number(width), facts };
  model.edits = JSON.parse(edits);
  model.labels = JSON.parse(labels ?? "[]");
  check(model.labels.every((name) => typeof name === "string") && model.labels.length < model.latentSize);
  model.layers = JSON.parse(layers).map((layer, i) => readLayer(layer, i, tensors));
  checkChain(model);
  for (const name of ["directions", "bends"]) {
    const { array, shape } = tensors[`edits.${name}`] ?? { array: new Float32Array(0), shape: [0, model.latentSize] };
    check(array instanceof Float32Array && String(shape) === String([model.edits.length, model.latentSize]));
    model[name] = array.slice();
  }
  return model;
}

/** As https://github.com/huggingface/safetensors says: the length of the header, the header in JSON, the tensors. */
function readSafetensors(buffer) {
  const start = 8 + Number(new DataView(buffer).getBigUint64(0, true));
  check(start <= buffer.byteLength);
  const { __metadata__, ...tensors } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)));
  for (const [name, { dtype, shape, data_offsets: [from, to] }] of Object.entries(tensors)) {
    const Type = TYPES[dtype];
    const length = shape.reduce((product, side) => product * side, 1);
    check(Type && shape.every((side) => Number.isInteger(side) && side >= 0));
    check(from >= 0 && to <= buffer.byteLength - start && to - from === length * Type.BYTES_PER_ELEMENT);
    tensors[name] = { shape, array: new Type(buffer, start + from, length) };
  }
  return [tensors, __metadata__];
}

function readLayer({ stride, slope }, i, tensors) {
  const [kernel, bias, scale] = ["kernel", "bias", "scale"].map((name) => tensors[`layers.${i}.${name}`]);
  check(kernel?.shape.length === 4 && bias?.array instanceof Float32Array);
  const [height, width, outputs, inputs] = kernel.shape;
  check(bias.array.length === outputs && kernel.array.length > 0 && (slope === null || (slope >= 0 && slope <= 1)));
  check(i ? (stride === 1 || stride === 2) && height === stride + 2 && width === stride + 2 : stride === 1);
  const weights = toFloats(kernel, scale), cut = Math.min(i, 1);
  return { height, width, outputs, inputs, stride, cut, slope, weights, bias: bias.array };
}

function toFloats({ array, shape: [height, width, outputs, inputs] }, scale) {
  if (array instanceof Float32Array) return array;
  const floats = new Float32Array(array.length);
  if (array instanceof Uint16Array) {
    const bits = new Int32Array(floats.buffer);
    for (let i = 0; i < array.length; i++) {
      bits[i] = ((array[i] & 0x8000) << 16) | ((array[i] & 0x7fff) << 13);
      floats[i] *= 2 ** 112; // a half's exponent is biased by 15, a float's by 127
    }
  } else {
    const blocks = Math.ceil(inputs / BLOCK);
    check(scale?.array instanceof Uint16Array && String(scale.shape) === String([height, width, outputs, blocks]));
    const factors = toFloats(scale);
    for (let i = 0; i < array.length; i++) {
      const row = Math.floor(i / inputs), block = Math.floor((i % inputs) / BLOCK);
      floats[i] = array[i] * factors[row * blocks + block];
    }
  }
  return floats;
}

function checkChain({ layers, latentSize, height, width }) {
  const [first] = layers, doubled = layers.reduce((side, { stride }) => side * stride, 1);
  check(first.inputs === latentSize && first.height * doubled === height && first.width * doubled === width);
  check([...layers.slice(1).map(({ inputs }) => inputs), 3].every((count, i) => count === layers[i].outputs));
}

function crc32(bytes) {
  const table = Int32Array.from({ length: 256 }, (_, value) => {
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 && 0xedb88320);
    return value;
  });
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}

// The arithmetic --------------------------------------------------------------------------------------------------------------

/** How faces are drawn, and a function that makes the pixels of up to BATCH latents. */
function openPainter(layers, facts, kernel) {
  // A damaged kernel may run and draw other faces, and one that does not is no reason to blame the browser.
  check(!kernel || crc32(new Uint8Array(kernel)) === INTACT, BROKEN);
  let instance;
  try {
    instance = new WebAssembly.Instance(new WebAssembly.Module(kernel));
  } catch { // there is no kernel, or no WebAssembly, or none of 128 bits, or the browser is told not to
    return ["javascript", (latents) => paintPlainly(latents, layers, facts)];
  }
  return ["wasm", openKernel(instance.exports, layers, facts)];
}

function openKernel({ memory, place, begin, add_layer, paint }, layers, { latentSize, height, width }) {
  // The buffer is another one whenever memory was added, which `paint` does the first time.
  const write = (address, floats) => new Float32Array(memory.buffer, address >>> 0, floats.length).set(floats);
  const input = begin(BATCH, latentSize);
  const scratch = place(4 * Math.max(...layers.map(({ weights }) => weights.length)));
  for (const { weights, bias, height, width, outputs, inputs, stride, slope } of layers) {
    const offsets = place(bias.byteLength);
    write(scratch, weights);
    write(offsets, bias);
    add_layer(scratch, offsets, height, width, outputs, inputs, stride, slope ?? -1);
  }
  return (latents) => {
    write(input, latents);
    const count = latents.length / latentSize, output = paint(count);
    return new Uint8ClampedArray(memory.buffer, output >>> 0, count * height * width * 4);
  };
}

function paintPlainly(latents, layers, { latentSize, height, width }) {
  const pixels = new Uint8ClampedArray((latents.length / latentSize) * height * width * 4).fill(255);
  for (let i = 0, to = 0; i < latents.length; i += latentSize) {
    const latent = { height: 1, width: 1, values: latents.subarray(i, i + latentSize) };
    const { values } = layers.reduce(convolve, latent);
    for (let j = 0; j < values.length; j += 3, to += 4) {
      for (let k = 0; k < 3; k++) pixels[to + k] = Math.fround(Math.fround(values[j + k] + 1) * 127.5); // half to even
    }
  }
  return pixels;
}

/** A transposed convolution, and its activation. */
function convolve(image, { height, width, outputs, inputs, stride, cut, slope, weights, bias }) {
  const rows = meetings(image.height, height, stride, cut), columns = meetings(image.width, width, stride, cut);
  const values = new Float32Array(rows.length * columns.length * outputs);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const pairs = row.flatMap(([y, k]) => column.map(([x, l]) => [y * image.width + x, k * width + l]));
      for (let output = 0; output < outputs; output++) {
        let sum = bias[output];
        for (const [from, place] of pairs) {
          sum += dot(image.values, from * inputs, weights, (place * outputs + output) * inputs, inputs);
        }
        values[to++] = slope === null ? Math.tanh(sum) : Math.max(sum, slope * sum);
      }
    }
  }
  return { height: rows.length, width: columns.length, values };
}

/**
 * What comes together along an axis: for each place that goes out, [place that comes in, place of the kernel]. The latter two
 * meet at stride * in + kernel; of the stride * side + 2 places of all layers but the first the outer ones are cut off.
 */
function meetings(side, kernel, stride, cut) {
  const places = Array.from({ length: stride * (side - 1) + kernel - 2 * cut }, () => []);
  for (let from = 0; from < side; from++) {
    for (let k = 0; k < kernel; k++) places[stride * from + k - cut]?.push([from, k]);
  }
  return places;
}

function dot(left, leftStart, right, rightStart, length) {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += left[leftStart + i] * right[rightStart + i];
  return sum;
}
