// The page's state as the fragment of its address: a link shows the same faces.

import { MOST_SEED, fromSeed, scale } from "./seeds.js";
import { applyEdits, withLabel } from "./latents.js";

export const MOST_KEPT = 64;
const FOREIGN = "This link names something that this generator does not have; the rest is shown.";

// A face is {seed or latent, truncation, edits: {name: strength}}; with the seed of a generator with labels, label: its number.

/** The latent of a face, its truncation and edits applied. */
export function latentOf(face, engine) {
  const { seed, latent, truncation, label, edits } = face;
  const labels = countLabels(engine);
  const size = engine.latentSize - labels;
  const point = latent ? scale(latent, truncation) : withLabel(fromSeed(seed, size, truncation), label ?? 0, labels);
  if (latent && labels) point.set(latent.slice(size), size);
  return Object.keys(edits).length ? applyEdits(point, edits, engine) : point;
}

/** How many labels a generator has. */
export const countLabels = ({ labels }) => labels?.length ?? 0;

/** The number of a face's label; undefined if it has none, or lies between some. */
export function labelOf({ latent, label }, engine) {
  if (!latent || !countLabels(engine)) return label;
  const weights = [...latent.slice(engine.latentSize - countLabels(engine))];
  return weights.filter(Boolean).length === 1 && weights.includes(1) ? weights.indexOf(1) : undefined;
}

/** A face in words. */
export function describe(face, engine = {}) {
  const { seed, truncation, edits } = face;
  const count = Object.keys(edits).length;
  const parts = [seed === undefined ? "A face without a seed" : `Seed ${seed}`];
  const name = engine.labels?.[labelOf(face, engine)];
  if (name !== undefined) parts.push(name);
  if (truncation !== 1) parts.push(`truncation ${truncation}`);
  if (count) parts.push(count === 1 ? "1 edit" : `${count} edits`);
  return parts.join(", ");
}

/** A face as text: 7~0.8~eye-size:1.5 or 7~1~label:2, or the numbers of its latent instead of its seed. */
export function writeFace({ seed, latent, truncation, label, edits }) {
  const name = latent ? "_" + encode(latent) : seed;
  const parts = Object.entries(label === undefined ? edits : { label, ...edits });
  return [name, truncation, ...parts.map(([part, value]) => `${part}:${value}`)].join("~");
}

/**
 * The face of a text, as far as this generator has it: numbers out of range are put into it, unknown edits left out. Null if
 * there is none. `miss()` is called for whatever is not as the text says.
 */
export function readFace(text, engine, miss = () => {}) {
  const [name, truncation = "1", ...rest] = text.split("~");
  const face = { truncation: number(truncation, 0, 1, miss) ?? 1, edits: {} };
  if (name.startsWith("_")) face.latent = decode(name.slice(1), engine.latentSize);
  else face.seed = readSeed(name);
  const labels = countLabels(engine);
  if (labels && !face.latent) face.label = 0;
  for (const part of rest) {
    const [edit, amount = ""] = part.split(":");
    if (edit === "label" && labels) {
      if (!face.latent && /^\d{1,4}$/.test(amount) && Number(amount) < labels) face.label = Number(amount);
      else miss();
      continue;
    }
    const strength = engine.edits.includes(edit) ? number(amount, -4, 4, miss) : miss();
    if (strength) face.edits[edit] = strength;
  }
  return (face.seed ?? face.latent ?? miss()) === undefined ? null : face;
}

/** The seed that a text names, or null. */
export function readSeed(text) {
  return /^\d{1,10}$/.test(text) && Number(text) <= MOST_SEED ? Number(text) : null;
}

export function writeState({ face, view, start, tray, corners, at }) {
  const parts = [`face=${writeFace(face)}`, `view=${view}`];
  if (start) parts.push(`wall=${start}`);
  if (tray.length) parts.push(`kept=${tray.map(writeFace).join(",")}`);
  if (corners.length) parts.push(`mix=${corners.join(",")}`);
  if (view === "mix") parts.push(`at=${at.join(",")}`);
  return "#" + parts.join("&");
}

/** The part of the state that a fragment holds, and in a sentence or two what it lacks: what makes no sense is left out. */
export function readState(fragment, engine) {
  const found = new URLSearchParams(fragment.slice(1));
  let foreign = false;
  const miss = () => void (foreign = true);
  const list = (name) => (found.get(name) ? found.get(name).split(",") : []);
  const one = (name, read) => (found.has(name) ? (read(found.get(name)) ?? miss()) : undefined);
  const places = list("kept").map((text) => readFace(text, engine, miss)); // corners count also those that are none
  const faces = places.filter(Boolean);
  const tray = faces.slice(0, MOST_KEPT);
  const corners = list("mix").map((corner) => tray.indexOf(places[corner] ?? miss()));
  const at = list("at").map((share) => number(share, 0, 1, miss));
  const state = { tray, start: one("wall", readSeed) ?? 0 };
  const face = one("face", (text) => readFace(text, engine, miss));
  const view = one("view", (name) => ["wall", "face", "mix", "walk"].find((known) => known === name));
  if (face) state.face = face;
  if (view) state.view = view;
  if ([2, 4].includes(corners.length) && !corners.includes(-1)) state.corners = corners;
  else if (corners.length) miss();
  if (at.length === 2 && !at.includes(undefined)) state.at = at;
  else if (at.length) miss();
  const lacks = foreign ? [FOREIGN] : [];
  if (faces.length > MOST_KEPT) lacks.push(leftOut(faces.length - MOST_KEPT));
  return [state, lacks.join(" ")];
}

export const leftOut = (count) =>
  `The collection holds ${MOST_KEPT} faces; ${count === 1 ? "one is" : `${count} are`} left out.`;

/** The number of a text, put into its range; `miss()` if it is none or was out of it. */
function number(text, least, most, miss) {
  const value = Number(text);
  if (!text.trim() || Number.isNaN(value)) return miss();
  if (value < least || value > most) miss();
  return Math.min(most, Math.max(least, value));
}

// Not btoa and atob: after them, arithmetic in Firefox takes a hundred times as long on some processors.
function encode(latent) {
  return [...new Uint8Array(latent.buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function decode(text, size) {
  if (text.length !== 8 * size || /[^0-9a-f]/.test(text)) return null;
  const latent = new Float32Array(Uint8Array.from(text.match(/../g), (byte) => parseInt(byte, 16)).buffer);
  return latent.every(Number.isFinite) ? latent : null;
}
