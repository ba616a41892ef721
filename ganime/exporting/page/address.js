// The page's state as the fragment of its address: a link shows the same faces.

import { MOST_SEED, fromSeed, scale } from "./seeds.js";
import { applyEdits } from "./latents.js";

// A face is {seed or latent, truncation, edits: {name: strength}}.

/** The latent of a face, its truncation and edits applied. */
export function latentOf(face, engine) {
  const { seed, latent, truncation, edits } = face;
  const point = latent ? scale(latent, truncation) : fromSeed(seed, engine.latentSize, truncation);
  return Object.keys(edits).length ? applyEdits(point, edits, engine) : point;
}

/** A face in words. */
export function describe({ seed, truncation, edits }) {
  const count = Object.keys(edits).length;
  const parts = [seed === undefined ? "A face without a seed" : `Seed ${seed}`];
  if (truncation !== 1) parts.push(`truncation ${truncation}`);
  if (count) parts.push(count === 1 ? "1 edit" : `${count} edits`);
  return parts.join(", ");
}

/** A face as text: 7~0.8~eye-size:1.5, or the numbers of its latent instead of its seed. */
export function writeFace({ seed, latent, truncation, edits }) {
  const name = latent ? "_" + encode(latent) : seed;
  return [name, truncation, ...Object.entries(edits).map(([edit, strength]) => `${edit}:${strength}`)].join("~");
}

/** The face of a text, or null if there is none for this generator. */
export function readFace(text, engine) {
  const [name, truncation = "1", ...rest] = text.split("~");
  const face = { truncation: number(truncation, 0, 1), edits: {} };
  if (name.startsWith("_")) face.latent = decode(name.slice(1), engine.latentSize);
  else face.seed = readSeed(name);
  for (const part of rest) {
    const [edit, strength] = part.split(":");
    face.edits[edit] = number(strength, -4, 4);
  }
  const known = Object.keys(face.edits).every((edit) => engine.edits.includes(edit));
  const sound = ![face.truncation, ...Object.values(face.edits)].includes(null);
  return known && sound && (face.seed ?? face.latent ?? null) !== null ? face : null;
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

/** The part of the state that a fragment holds; what makes no sense is left out. */
export function readState(fragment, engine) {
  const found = new URLSearchParams(fragment.slice(1));
  const list = (name) => (found.get(name) ?? "").split(",");
  const tray = list("kept").flatMap((text) => readFace(text, engine) ?? []);
  const corners = list("mix")
    .map(Number)
    .filter((corner) => tray[corner]);
  const at = list("at").map((share) => number(share, 0, 1));
  const face = readFace(found.get("face") ?? "", engine);
  const view = found.get("view");
  const state = { tray, start: readSeed(found.get("wall") ?? "") ?? 0 };
  if (face) state.face = face;
  if (["wall", "face", "mix", "walk"].includes(view)) state.view = view;
  if ([2, 4].includes(corners.length)) state.corners = corners;
  if (at.length === 2 && !at.includes(null)) state.at = at;
  return state;
}

function number(text, least, most) {
  const value = Number(text);
  return text !== "" && value >= least && value <= most ? value : null;
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
