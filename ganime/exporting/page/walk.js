// A walk through the collection, in a closed loop, in steps that look about equal.

import { countLabels, latentOf } from "./address.js";
import { slerp } from "./latents.js";
import { WAYPOINTS, difference, pace } from "./pace.js";

export class Walk {
  /** `report()` is called whenever the walk has moved on. */
  constructor(engine, stage, report) {
    Object.assign(this, { engine, stage, report, faces: [], time: 0, seconds: 1, playing: false, pace: null });
  }

  /** Walk through other faces. */
  set(faces) {
    if (faces.length === this.faces.length && faces.every((face, i) => face === this.faces[i])) return;
    Object.assign(this, { faces, time: 0, pace: null, latents: faces.map((face) => latentOf(face, this.engine)) });
    if (faces.length < 2) this.pause();
    else if (this.playing) this.prepare();
  }

  /** The latent at a place in the loop, 0 to 1. */
  at(place) {
    const count = this.latents.length;
    const leg = Math.min(count - 1, Math.floor(place * count));
    return slerp(this.latents[leg], this.latents[(leg + 1) % count], place * count - leg, countLabels(this.engine));
  }

  get latent() {
    return this.at(this.pace ? this.pace(this.time) : this.time);
  }

  /** Look how different the faces on the way are. */
  async prepare() {
    if (this.pace) return;
    const { faces } = this;
    const count = WAYPOINTS * faces.length;
    const pictures = await this.engine.draw(Array.from({ length: count }, (_, i) => this.at(i / count)));
    if (faces !== this.faces) return;
    this.pace = pace(pictures.map((picture, i) => difference(picture, pictures[(i + 1) % count])));
  }

  async play() {
    if (this.playing || this.faces.length < 2) return;
    const turn = (this.turn = {});
    this.playing = true;
    this.report();
    await this.prepare();
    let [before, shown, since] = [performance.now(), this.stage.drawn, performance.now()];
    const step = (now) => {
      if (!this.playing || this.turn !== turn) return;
      this.time = (this.time + Math.max(0, now - before) / 1000 / this.seconds / this.faces.length) % 1;
      before = now;
      this.stage.show(this.latent, true);
      if (now - since > 1000) {
        this.rate = Math.round((1000 * (this.stage.drawn - shown)) / (now - since));
        [shown, since] = [this.stage.drawn, now];
      }
      this.report();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  pause() {
    Object.assign(this, { playing: false, rate: undefined });
    this.report();
  }

  seek(time) {
    this.time = time;
    this.stage.show(this.latent, true);
  }

  /** All frames of the loop, one after the other: Uint8ClampedArray, RGBA. */
  async *frames(fps) {
    await this.prepare();
    const { pace, latents } = this;
    const count = this.countFrames(fps);
    for (let i = 0; i < count; i += 16) {
      const times = Array.from({ length: Math.min(16, count - i) }, (_, k) => (i + k) / count);
      if (latents !== this.latents) throw new Error("the collection has changed meanwhile");
      yield* await this.engine.draw(times.map((time) => this.at(pace(time))));
    }
  }

  countFrames(fps) {
    return Math.max(this.faces.length, Math.round(this.faces.length * this.seconds * fps));
  }
}
