// The wall: a grid of the faces of consecutive seeds that goes on as one scrolls. Only the rows in sight exist.

import { latentOf } from "./address.js";
import { MOST_SEED } from "./seeds.js";

const GAP = 6;
const TALLEST = 16e6; // pixels, which every browser can scroll through: a million faces

export class Wall {
  /** `choose(seed)` is called when a face is chosen, `keep(seed)` when it is to be collected. */
  constructor(grid, engine, { choose, keep }) {
    Object.assign(this, {
      grid,
      engine,
      start: 0,
      truncation: 1,
      selected: null,
      active: 0,
      columns: 0,
      rows: new Map(),
      spare: [],
    });
    this.space = grid.firstElementChild;
    engine.users.push((most) => this.next(most));
    grid.addEventListener("scroll", () => this.place(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(grid);
    grid.addEventListener("click", ({ target }) => {
      const cell = target.closest("[role=gridcell]");
      if (!cell) return;
      this.active = this.indexOf(cell);
      (target.closest(".keep") ? keep : choose)(cell.seed);
    });
    grid.addEventListener("keydown", (event) => {
      const seed = this.seedAt(this.active);
      if (event.key === "Enter" || event.key === " ") choose(seed);
      else if (event.key.toLowerCase() === "c" && !event.ctrlKey && !event.metaKey) keep(seed);
      else if (!this.move(event.key, event.ctrlKey)) return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** Show the faces from a seed on. */
  show({ start, truncation, label, selected }) {
    const moved = start !== this.start;
    const changed = moved || truncation !== this.truncation || label !== this.label;
    Object.assign(this, { start, truncation, label, selected });
    if (moved) this.grid.scrollTop = this.active = 0;
    if (changed) for (const row of this.rows.values()) this.fill(row);
    for (const row of this.rows.values()) this.mark(row);
    this.engine.pump();
  }

  measure() {
    const { clientHeight } = this.grid;
    const { clientWidth } = this.space;
    if (!clientWidth) return; // it is hidden
    const first = this.columns ? Math.floor(this.grid.scrollTop / this.pitch) * this.columns : 0;
    const columns = Math.max(3, Math.floor((clientWidth + GAP) / ((clientWidth < 500 ? 84 : 104) + GAP)));
    this.pitch = (clientWidth + GAP) / columns;
    this.height = clientHeight;
    this.space.style.setProperty("--columns", columns);
    this.grid.setAttribute("aria-colcount", columns);
    if (columns !== this.columns) {
      this.columns = columns;
      for (const row of this.rows.values()) row.remove();
      this.rows.clear();
      this.spare = [];
      this.grow(Math.ceil(first / columns));
      this.grid.scrollTop = Math.floor(first / columns) * this.pitch;
    }
    this.place();
  }

  /** Make room for some more rows below one. */
  grow(row) {
    const wanted = Math.min(TALLEST, (row + 60) * this.pitch);
    if (wanted > (this.tall ?? 0)) this.space.style.height = `${(this.tall = wanted)}px`;
  }

  /** Let exactly the rows in sight exist, and one more on either side. */
  place() {
    const first = Math.max(0, Math.floor(this.grid.scrollTop / this.pitch) - 1);
    const last = Math.ceil((this.grid.scrollTop + this.height) / this.pitch);
    this.grow(last);
    for (const [number, row] of this.rows) {
      if (number >= first && number <= last) continue;
      this.rows.delete(number);
      this.spare.push(row);
      row.remove();
    }
    for (let number = last; number >= first; number--) {
      const row = this.rows.get(number) ?? this.add(number);
      row.style.transform = `translateY(${number * this.pitch}px)`;
    }
    this.engine.pump();
  }

  /** A row in its place among the others, before the one after it. */
  add(number) {
    const row = this.spare.pop() ?? this.make();
    row.number = number;
    row.setAttribute("aria-rowindex", number + 1);
    this.space.insertBefore(row, this.rows.get(number + 1) ?? null);
    this.rows.set(number, row);
    this.fill(row);
    this.mark(row);
    return row;
  }

  make() {
    const row = document.createElement("div");
    row.setAttribute("role", "row");
    for (let i = 0; i < this.columns; i++) {
      const cell = document.createElement("div");
      cell.setAttribute("role", "gridcell");
      const plus = Object.assign(document.createElement("span"), { className: "keep", textContent: "+", title: "Collect (c)" });
      plus.setAttribute("aria-hidden", "true");
      cell.append(document.createElement("canvas"), plus);
      row.append(cell);
    }
    return row;
  }

  fill(row) {
    [...row.children].forEach((cell, i) => {
      cell.seed = this.seedAt(row.number * this.columns + i);
      cell.id = `seed-${cell.seed}`;
      cell.wanted = true;
      cell.className = "";
      cell.setAttribute("aria-label", `Seed ${cell.seed}`);
    });
  }

  mark(row) {
    for (const cell of row.children) {
      cell.setAttribute("aria-selected", cell.seed === this.selected);
      cell.classList.toggle("active", this.indexOf(cell) === this.active);
    }
  }

  /** The next faces to draw: those in sight first. */
  next(most) {
    const middle = this.grid.scrollTop / this.pitch + this.height / this.pitch / 2;
    const distance = ([number]) => Math.max(0, Math.abs(number + 0.5 - middle) - this.height / this.pitch / 2);
    const rows = [...this.rows].sort((a, b) => distance(a) - distance(b) || a[0] - b[0]);
    const cells = rows.flatMap(([, row]) => [...row.children].filter((cell) => cell.wanted)).slice(0, most);
    if (!cells.length || !this.grid.clientWidth) return null;
    const asked = cells.map((cell) => {
      cell.wanted = false;
      return { seed: cell.seed, truncation: this.truncation, label: this.label, edits: {} };
    });
    return {
      latents: asked.map((face) => latentOf(face, this.engine)),
      done: (pictures) =>
        cells.forEach((cell, i) => {
          const { seed, truncation, label } = asked[i];
          if (cell.seed !== seed || this.truncation !== truncation || this.label !== label) return; // it is to show another face
          this.engine.paint(cell.firstChild, pictures[i]);
          cell.classList.add("drawn");
        }),
    };
  }

  seedAt(index) {
    return (this.start + index) % (MOST_SEED + 1);
  }

  indexOf(cell) {
    return cell.parentElement.number * this.columns + [...cell.parentElement.children].indexOf(cell);
  }

  /** Move the keyboard's place, and say whether the key was one that does. */
  move(key, far) {
    const page = Math.max(1, Math.floor(this.height / this.pitch)) * this.columns;
    const column = this.active % this.columns;
    const step = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -this.columns,
      ArrowDown: this.columns,
      PageUp: -page,
      PageDown: page,
      Home: far ? -this.active : -column,
      End: this.columns - 1 - column,
    }[key];
    if (step === undefined) return false;
    if (this.active + step >= 0) this.active += step;
    const top = Math.floor(this.active / this.columns) * this.pitch;
    this.grow(top / this.pitch);
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    if (top + this.pitch > this.grid.scrollTop + this.height) this.grid.scrollTop = top + this.pitch - this.height;
    this.place();
    this.point();
    return true;
  }

  /** Tell assistive technology where the keyboard is. */
  point() {
    this.grid.setAttribute("aria-activedescendant", `seed-${this.seedAt(this.active)}`);
    for (const row of this.rows.values()) this.mark(row);
  }
}
