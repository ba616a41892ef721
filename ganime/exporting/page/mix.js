// Mixing two or four collected faces: a pad with a face in each corner, and a slider for each direction.

import { countLabels, describe, latentOf } from "./address.js";
import { mixture } from "./latents.js";
import { makeSlider } from "./sliders.js";

const PLACES = ["Upper left", "Upper right", "Lower left", "Lower right"];
const ENDS = ["Left", "Right"];

export class Mix {
  /** `change(update, done)` is called with new corners (places in the collection) or a new place between them. */
  constructor(pad, engine, tray, change) {
    Object.assign(this, { pad, engine, tray, change, corners: [], at: [0.5, 0.5] });
    this.handle = pad.firstElementChild;
    const slider = (id, name, axis) =>
      makeSlider(document.getElementById(`${id}-row`), {
        ...{ id, name, least: 0, most: 1, step: 0.01, initial: 0.5, words: (share) => `${Math.round(100 * share)} %` },
        input: (share, done) => change({ at: this.at.with(axis, share) }, done),
      });
    this.sliders = [slider("across", "Across", 0), slider("down", "Down", 1)];
    this.buttons = PLACES.map((place, i) => {
      const button = document.createElement("button");
      button.append(document.createElement("canvas"));
      button.addEventListener("click", () => this.turn(i));
      pad.append(button);
      return button;
    });
    const follow = (event, done) => {
      const box = pad.getBoundingClientRect();
      const share = (from, length) => Math.round(100 * Math.min(1, Math.max(0, from / length))) / 100;
      const down = this.corners.length === 4 ? share(event.clientY - box.top, box.height) : this.at[1];
      change({ at: [share(event.clientX - box.left, box.width), down] }, done);
    };
    pad.addEventListener("pointerdown", (event) => {
      if (event.target.closest("button")) return;
      pad.setPointerCapture(event.pointerId);
      follow(event, false);
    });
    pad.addEventListener("pointermove", (event) => pad.hasPointerCapture(event.pointerId) && follow(event, false));
    pad.addEventListener("pointerup", (event) => pad.hasPointerCapture(event.pointerId) && follow(event, true));
    for (const radio of document.getElementsByName("corners"))
      radio.addEventListener("change", () => change({ corners: this.usual(Number(radio.value)) }, true));
  }

  /** The first faces of the collection. */
  usual(count) {
    return Array.from({ length: count }, (_, i) => i % this.faces.length);
  }

  /** Put the next face of the collection that is in no other corner into a corner. */
  turn(corner) {
    const count = this.faces.length;
    let next = this.corners[corner];
    do next = (next + 1) % count;
    while (next !== this.corners[corner] && this.corners.includes(next));
    this.change({ corners: this.corners.with(corner, next) }, true);
  }

  show({ tray, corners, at }) {
    this.faces = tray;
    if (tray.length < 2) return;
    const given = [2, 4].includes(corners.length) && corners.every((corner) => tray[corner]);
    Object.assign(this, { corners: given ? corners : this.usual(tray.length < 4 ? 2 : 4), at });
    const two = this.corners.length === 2;
    this.pad.classList.toggle("two", two);
    document.getElementById("down-row").hidden = two;
    for (const radio of document.getElementsByName("corners")) {
      radio.checked = Number(radio.value) === this.corners.length;
      radio.disabled = Number(radio.value) > tray.length;
    }
    this.buttons.forEach((button, i) => {
      const face = tray[this.corners[i]];
      button.hidden = !face;
      if (!face) return;
      button.setAttribute("aria-label", `${(two ? ENDS : PLACES)[i]}: ${describe(face, this.engine)}. Press for the next collected face.`);
      if (button.face !== face) this.tray.paint(button.firstChild, (button.face = face));
    });
    this.sliders.forEach((slider, i) => slider.set(at[i]));
    this.handle.style.left = `${100 * at[0]}%`;
    this.handle.style.top = two ? "50%" : `${100 * at[1]}%`;
  }

  get latent() {
    return mixture(
      this.corners.map((corner) => latentOf(this.faces[corner], this.engine)),
      this.at,
      countLabels(this.engine),
    );
  }
}
