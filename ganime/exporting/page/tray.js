// The collection: the faces that the visitor keeps.

import { MOST_KEPT, describe, latentOf, writeFace } from "./address.js";

/** A collection with more faces, each once, and the number of those for which it has no room. */
export function collect(tray, faces) {
  const there = new Set(tray.map(writeFace));
  const fresh = faces.filter((face) => there.size < there.add(writeFace(face)).size);
  const kept = [...tray, ...fresh];
  return [kept.slice(0, MOST_KEPT), Math.max(0, kept.length - MOST_KEPT)];
}

export class Tray {
  /** `choose(index)`, `remove(index)` and `move(from, to)` are called when the visitor wants that. */
  constructor(list, engine, calls) {
    Object.assign(this, { list, engine, items: new WeakMap() });
    const indexOf = (target) => [...list.children].indexOf(target.closest("li"));
    list.addEventListener("click", ({ target }) => {
      if (target.closest("button")) calls[target.closest(".remove") ? "remove" : "choose"](indexOf(target));
    });
    list.addEventListener("keydown", (event) => {
      const index = indexOf(event.target);
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Delete" || event.key === "Backspace") this.refocus(index, () => calls.remove(index));
      else if (step && event.shiftKey) this.refocus(index + step, () => calls.move(index, index + step));
      else if (step) this.refocus(index + step, () => {});
      else return;
      event.preventDefault();
    });
    list.addEventListener("dragstart", (event) => (this.dragged = indexOf(event.target)));
    list.addEventListener("dragover", (event) => event.preventDefault());
    list.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.target.closest("li")) calls.move(this.dragged, indexOf(event.target));
    });
  }

  refocus(index, act) {
    act();
    this.list.children[Math.min(index, this.list.children.length - 1)]?.querySelector("button").focus();
  }

  /** Show the collection, the face `shown` marked. */
  show(tray, shown) {
    const items = tray.map((face, i) => this.item(face, i, writeFace(face) === shown));
    if (items.length !== this.list.children.length || items.some((item, i) => item !== this.list.children[i]))
      this.list.replaceChildren(...items);
  }

  item(face, index, current) {
    const item = this.items.get(face) ?? this.make(face);
    this.items.set(face, item);
    const [button] = item.children;
    button.setAttribute("aria-label", `Collected face ${index + 1}: ${describe(face, this.engine)}`);
    button.setAttribute("aria-current", current);
    item.lastChild.setAttribute("aria-label", `Remove collected face ${index + 1}`);
    return item;
  }

  make(face) {
    const item = Object.assign(document.createElement("li"), { draggable: true });
    const button = document.createElement("button");
    button.append(document.createElement("canvas"));
    const remove = Object.assign(document.createElement("button"), { className: "remove", textContent: "×" });
    item.append(button, remove);
    this.paint(button.firstChild, face);
    return item;
  }

  /** Draw a face on a small canvas. */
  async paint(canvas, face) {
    const [pixels] = await this.engine.draw([latentOf(face, this.engine)]);
    this.engine.paint(canvas, pixels);
  }
}
