// The generator in its worker, and who may use it next.

import { findEmbedded, load, startWorker } from "./files.js";

/** Open the generator. An Error says in one sentence why there is none. */
export async function openEngine(report) {
  if (location.protocol === "file:" && !findEmbedded("worker.js"))
    throw new Error("Opened from the disk, this page cannot load its files: serve its folder, or export it as a single file.");
  const wasm = typeof WebAssembly === "object";
  const [model, kernel, script] = await Promise.all([
    load("generator.safetensors", report),
    wasm ? load("kernel.wasm") : null,
    load("worker.js"),
  ]);
  const worker = startWorker(script);
  const facts = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.type === "ready" ? resolve(data) : reject(new Error(data.message)));
    worker.onerror = () => reject(new Error("This browser cannot run the page's worker.js; a newer one can."));
    worker.postMessage({ type: "open", model, kernel }, kernel ? [model, kernel] : [model]);
  });
  return new Engine(worker, facts);
}

/**
 * Draws what its users want, one batch at a time: the first user in `users` that wants something is served. So nothing waits in
 * a queue that nobody looks at any more, and the face under a slider goes before the wall.
 *
 * A user is a function of the number of faces it may have, and returns null or {latents: an array of Float32Array, done}.
 */
class Engine {
  constructor(worker, { latentSize, height, width, labels, edits, directions, bends, facts, how }) {
    Object.assign(this, { worker, latentSize, height, width, labels, edits, directions, bends, facts, how });
    this.users = [() => this.requests.shift()];
    this.requests = [];
    this.job = null;
    this.hurried = 0; // until then batches are short, because somebody drags a slider
    this.each = 10; // milliseconds, which a face takes
    this.fail = () => {};
    worker.onmessage = ({ data }) => this.receive(data);
    worker.onerror = () => this.fail("The faces cannot be drawn any more: the worker has ended; load the page again.");
  }

  /** Look whether somebody wants something. */
  pump() {
    if (this.job) return;
    const now = performance.now();
    const most = Math.min(16, Math.ceil((now < this.hurried ? 10 : 100) / this.each));
    for (const user of this.users) {
      this.job = user(most) ?? null;
      if (!this.job) continue;
      this.job.since = now;
      const latents = new Float32Array(this.job.latents.length * this.latentSize);
      this.job.latents.forEach((latent, i) => latents.set(latent, i * this.latentSize));
      this.worker.postMessage({ type: "draw", id: 0, latents }, [latents.buffer]);
      return;
    }
  }

  receive(data) {
    if (data.type !== "drawn") return this.fail(data.message);
    const { done, latents, since } = this.job;
    this.each = (performance.now() - since) / latents.length;
    this.job = null;
    this.pump(); // the worker goes on while this face is shown
    const size = 4 * this.height * this.width;
    done(Array.from({ length: data.pixels.length / size }, (_, i) => data.pixels.slice(i * size, (i + 1) * size)));
  }

  /** The pictures of some latents, each a Uint8ClampedArray, RGBA. */
  async draw(latents) {
    const pictures = [];
    for (let i = 0; i < latents.length; i += 16) {
      pictures.push(
        ...(await new Promise((done) => {
          this.requests.push({ latents: latents.slice(i, i + 16), done });
          this.pump();
        })),
      );
    }
    return pictures;
  }

  /** Show a picture on a canvas of the generator's size. */
  paint(canvas, pixels) {
    if (canvas.width !== this.width || canvas.height !== this.height)
      Object.assign(canvas, { width: this.width, height: this.height });
    canvas.getContext("2d").putImageData(new ImageData(pixels, this.width, this.height), 0, 0);
  }
}
