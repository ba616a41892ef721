// The page: what the visitor has chosen (the state, which is in the address), and what each control does to it.

import { countLabels, describe, labelOf, latentOf, leftOut, readSeed, readState, writeFace, writeState } from "./address.js";
import { connectDownloads } from "./downloads.js";
import { openEngine } from "./engine.js";
import { connectKeys, connectTabs } from "./keys.js";
import { withLabel } from "./latents.js";
import { Mix } from "./mix.js";
import { MOST_SEED } from "./seeds.js";
import { inWords, makeSlider } from "./sliders.js";
import { Stage } from "./stage.js";
import { Tray, collect } from "./tray.js";
import { Walk } from "./walk.js";
import { Wall } from "./wall.js";

const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const on = (id, act, event = "click") => $(id).addEventListener(event, act);
const wide = matchMedia("(min-width: 760px)");
const SLOWER = "This browser has no WebAssembly with SIMD: the faces are drawn by plain JavaScript, which is slower.";
const FIRST = { face: { seed: 7, truncation: 1, edits: {} }, tray: [], start: 0, corners: [], at: [0.5, 0.5] };

let state;
let engine, stage, wall, tray, mix, walk, sliders;

/** Show a note: until the next thing is done or, of a kind, "lasting" until it is closed, "failed" for ever. */
function notice(text, kind = "") {
  $("notice").hidden = !text;
  $("notice").className = kind;
  $("notice-text").textContent = text;
  $("late").hidden = true;
  $("notice-close").hidden = kind === "failed";
}

const forget = () => $("notice").className || notice("");

function say(text) {
  $("said").textContent = text;
}

/** Change the state. A step (`step`) can be undone with the browser's Back; `hurry` while a slider moves. */
function change(update, { step = true, hurry = false } = {}) {
  state = { ...state, ...update };
  forget();
  if (!hurry) {
    const address = writeState(state);
    if (address !== location.hash) history[step ? "pushState" : "replaceState"](null, "", address);
  }
  show(hurry);
}

const changeFace = (update, options) => change({ face: { ...state.face, ...update } }, options);
const choose = (face, view = state.view === "mix" || state.view === "walk" ? "face" : state.view) => {
  change({ face, view: view === "wall" && !wide.matches ? "face" : view });
  say(describe(face, engine));
};
const labelled = (face) => (countLabels(engine) ? { ...face, label: state.label } : face);
const chooseSeed = (seed) => choose(labelled({ seed, truncation: state.face.truncation, edits: {} }));
const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

/** Show the state. */
function show(hurry = false) {
  const { face, view } = state;
  const [mixing, walking] = [view === "mix", view === "walk"].map((is) => is && state.tray.length > 1);
  document.body.dataset.view = view;
  document.body.classList.toggle("few", state.tray.length < 2);
  for (const tab of all("[role=tab]")) {
    const selected = tab.id === `tab-${view === "wall" && wide.matches ? "face" : view}`;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
  }
  if (document.activeElement !== $("seed")) $("seed").value = face.seed ?? "";
  sliders.truncation.set(face.truncation);
  const label = labelOf(face, engine);
  if (label !== undefined) state.label = label;
  $("label").value = label ?? "";
  for (const name of engine.edits) sliders[name].set(face.edits[name] ?? 0);
  $("reset").disabled = !Object.keys(face.edits).length;
  mix.show(state);
  walk.set(state.tray);
  if (!walking && walk.playing) walk.pause();
  showWalk();
  stage.show(mixing ? mix.latent : walking ? walk.latent : latentOf(face, engine), hurry);
  const words = mixing
    ? `Mix of ${mix.corners.length} faces`
    : walking
      ? `Walk through ${walk.faces.length} faces`
      : describe(face, engine);
  $("caption").textContent = words;
  $("canvas").setAttribute("aria-label", words);
  document.title = `${words} · ${engine.facts.name ?? "Faces"}`;
  if (hurry) return;
  if (document.activeElement !== $("start")) $("start").value = state.start;
  wall.show({ start: state.start, truncation: face.truncation, label: state.label, selected: face.seed });
  tray.show(state.tray, writeFace(face));
  $("nothing-kept").hidden = state.tray.length > 0;
  $("save-all").disabled = $("clear").disabled = !state.tray.length;
}

function showWalk() {
  $("play").textContent = walk.playing ? "Pause" : "Play";
  $("rate").value = walk.rate ? `${walk.rate} faces/s` : "";
  sliders?.place.set(walk.time);
}

/** Collect faces. */
function keep(...faces) {
  const [kept, left] = collect(state.tray, faces);
  const more = kept.length - state.tray.length;
  change({ tray: kept });
  say(more ? `Collected; there are ${kept.length} faces` : left ? "" : "It is in the collection already");
  if (left) notice(leftOut(left));
}

/** The face on the stage: its seed with its edits or, where it is a mix or a step of a walk, its latent. */
function shownFace() {
  const between = state.tray.length > 1 && (state.view === "mix" || state.view === "walk");
  return between ? { latent: stage.latent, truncation: 1, edits: {} } : state.face;
}

const keepShown = () => keep(shownFace());
const keepSeed = (seed) => keep(labelled({ seed, truncation: state.face.truncation, edits: {} }));
const roll = () => chooseSeed(randomSeed());
const resetEdits = () => changeFace({ edits: {} });
const togglePlay = () => (walk.playing ? walk.pause() : walk.play());

function view(name) {
  change({ view: name });
  if (name === "walk" && !matchMedia("(prefers-reduced-motion: reduce)").matches) walk.play();
}

const size = () => ({ scale: Number(sliders.scale.range.value), sharp: $("sharp").checked });

function makeSliders() {
  const slider = (row, options) => makeSlider($(row), options);
  sliders = {
    truncation: slider("truncation-row", {
      ...{ id: "truncation", name: "Truncation", least: 0, most: 1, step: 0.01, initial: 1, resets: true },
      words: (value) => `${value.toFixed(2)}${value === 1 ? ", as trained" : ""}`,
      input: (truncation, done) => changeFace({ truncation }, { step: false, hurry: !done }),
    }),
    place: slider("place-row", {
      ...{
        id: "place",
        name: "Place",
        least: 0,
        most: 1,
        step: 0.001,
        initial: 0,
        words: (value) => `${Math.round(100 * value)} %`,
      },
      input: (time) => walk.seek(time % 1),
    }),
    pace: slider("pace-row", {
      ...{ id: "pace", name: "From face to face", least: 0.2, most: 5, step: 0.1, initial: 1 },
      words: (value) => `${value.toFixed(1)} s`,
      input: (seconds) => (walk.seconds = seconds),
    }),
    scale: slider("scale-row", {
      ...{ id: "scale", name: "Size", least: 1, most: 16, step: 1, initial: 4 },
      words: (value) => `${value}×, ${value * engine.width} × ${value * engine.height} pixels`,
      input: () => {},
    }),
  };
  for (const name of engine.edits) {
    const row = $("edit-rows").appendChild(document.createElement("div"));
    sliders[name] = makeSlider(row, {
      ...{ id: `edit-${name}`, name: inWords(name), least: -3, most: 3, step: 0.1, initial: 0, resets: true },
      words: (value) => (value > 0 ? "+" : "") + value.toFixed(1).replace("-", "−"),
      input: (strength, done) => {
        const { [name]: before, ...others } = state.face.edits;
        changeFace({ edits: strength ? { ...others, [name]: strength } : others }, { step: false, hurry: !done });
      },
    });
  }
  $("edits").hidden = !engine.edits.length;
}

/** The list of labels: another one for the face, whose seed stays, and for the wall. */
function connectLabels() {
  $("label-row").hidden = !countLabels(engine);
  $("label").append(new Option("between labels", ""), ...engine.labels.map((name, i) => new Option(name, i)));
  $("label").options[0].hidden = true;
  on(
    "label",
    () => {
      const label = Number($("label").value);
      const { latent } = state.face;
      if (latent) {
        const size = engine.latentSize - countLabels(engine);
        change({ label, face: { ...state.face, latent: withLabel(latent.slice(0, size), label, countLabels(engine)) } });
      } else changeFace({ label });
    },
    "change",
  );
}

/** A field for a seed: what is no seed is said, and put right. */
function seedField(id, act, current) {
  on(
    id,
    () => {
      const seed = readSeed($(id).value.trim());
      if (seed === null) notice(`A seed is a whole number from 0 to ${MOST_SEED}.`);
      else if (seed !== current()) act(seed);
      else forget();
      $(id).value = current() ?? "";
    },
    "change",
  );
  on(id, (event) => event.key === "Enter" && event.target.blur(), "keydown");
}

function connect() {
  seedField("seed", chooseSeed, () => state.face.seed);
  seedField(
    "start",
    (start) => change({ start }),
    () => state.start,
  );
  connectLabels();
  on("elsewhere", () => change({ start: randomSeed() }));
  on("roll", roll);
  on("reset", resetEdits);
  on("keep", keepShown);
  on("play", togglePlay);
  on("clear", () => change({ tray: [], corners: [] }));
  on(
    "sharp",
    () => {
      stage.sharp = $("sharp").checked;
      stage.paint();
    },
    "change",
  );
  for (const button of all(".take"))
    button.addEventListener("click", () => keep(...Array.from({ length: 4 }, () => labelled({ ...FIRST.face, seed: randomSeed() }))));
  for (const button of all(".edit-this")) button.addEventListener("click", () => choose(shownFace(), "face"));
  for (const name of ["help", "about"]) on(`show-${name}`, () => openDialog(name));
  on("notice-close", () => notice(""));
  connectTabs($("tabs"), view);
  connectKeys(SHORTCUTS, () => $("shortcuts").checked && !document.querySelector("dialog[open]"));
  connectDownloads({ engine, stage, walk, shownFace, kept: () => state.tray, size, keep, notice, forget, say });
  addEventListener("popstate", restore);
  wide.addEventListener("change", () => show());
}

const SHORTCUTS = {
  c: keepShown,
  r: roll,
  x: resetEdits,
  s: () => $("png").click(),
  f: () => view("face"),
  m: () => view("mix"),
  w: () => view("walk"),
  p: () => state.view === "walk" && togglePlay(),
  "/": () => $("seed").offsetParent && $("seed").select(),
  "?": () => openDialog("help"),
};

/** Open a dialog at its top; the browser would begin with its first control, at the bottom. */
function openDialog(name) {
  $(name).showModal();
  $(`${name}-title`).focus();
}

/** Show what the address says. */
function restore() {
  const [found, lacks] = readState(location.hash, engine);
  state = { ...FIRST, label: 0, view: wide.matches || found.face ? "face" : "wall", ...found };
  if (!found.face) state.face = labelled(state.face);
  show();
  forget();
  if (lacks) notice(lacks);
}

function showFacts() {
  $("name").textContent = engine.facts.name ?? "";
  const how = { wasm: "by WebAssembly", javascript: "by plain JavaScript" }[engine.how];
  const facts = { ...engine.facts, picture: `${engine.width} × ${engine.height}, drawn ${how}` };
  for (const [name, fact] of Object.entries(facts)) {
    const row = $("facts").appendChild(document.createElement("div"));
    row.append(Object.assign(document.createElement("dt"), { textContent: name }));
    row.append(Object.assign(document.createElement("dd"), { textContent: fact }));
  }
}

async function start() {
  const report = (size) => {
    if (!$("notice").matches(".failed")) $("notice-text").textContent = `Loading the generator … ${size}`;
  };
  try {
    engine = await openEngine(report);
  } catch (error) {
    return notice(error.message, "failed");
  }
  notice(engine.how === "javascript" ? SLOWER : "", engine.how === "javascript" ? "lasting" : "");
  engine.fail = (message) => notice(message, "failed");
  $("page").hidden = false;
  delete document.body.dataset.loading;
  stage = new Stage(engine, $("canvas"));
  wall = new Wall($("grid"), engine, { choose: chooseSeed, keep: keepSeed });
  tray = new Tray($("kept"), engine, {
    choose: (index) => choose(state.tray[index]),
    remove: (index) => change({ tray: state.tray.toSpliced(index, 1), corners: [] }),
    move: (from, to) => {
      const moved = state.tray.toSpliced(from, 1);
      if (to >= 0 && to < state.tray.length) change({ tray: moved.toSpliced(to, 0, state.tray[from]), corners: [] });
    },
  });
  mix = new Mix($("pad"), engine, tray, (update, done) => change(update, { step: false, hurry: !done }));
  walk = new Walk(engine, stage, showWalk);
  makeSliders();
  showFacts();
  connect();
  restore();
}

start();
