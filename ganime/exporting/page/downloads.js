// What the visitor takes along, and brings back.

import { latentOf } from "./address.js";
import { save } from "./files.js";
import { readNpy, writeNpy } from "./latents.js";
import { makeGif, makePng, makeVideo, videoType } from "./record.js";

/** Connect the buttons. `page`: engine, stage, walk, shownFace, kept, size, keep, notice, forget and say. */
export function connectDownloads(page) {
  const { engine, stage, walk, notice, forget, say } = page;
  const $ = (id) => document.getElementById(id);
  const nameOf = ({ seed }) => (seed === undefined ? "face" : `face-${String(seed).padStart(6, "0")}`);

  async function savePng() {
    forget();
    const name = `${nameOf(page.shownFace())}.png`;
    const [pixels] = await engine.draw([stage.latent]);
    save(name, await makePng(pixels, engine.width, engine.height, page.size()));
    say("The picture is downloaded");
  }

  function saveLatents(name, latents) {
    forget();
    save(name, new Blob([writeNpy(latents)]));
    say(latents.length === 1 ? "The latent is downloaded" : `${latents.length} latents are downloaded`);
  }

  async function openLatents(file) {
    try {
      const latents = readNpy(await file.arrayBuffer(), engine.latentSize);
      page.keep(...latents.map((latent) => ({ latent, truncation: 1, edits: {} })));
    } catch (error) {
      notice(`${file.name} cannot be used: ${error.message}.`);
    }
  }

  let recording = null; // it stays until it has ended, so that there are never two
  async function record(make, name) {
    if (recording) return void (recording.canceled = true);
    const turn = (recording = { canceled: false });
    walk.pause();
    forget();
    say("Recording");
    for (const id of ["gif", "video"]) $(id).lastChild.textContent = "Cancel";
    const blob = await make(walk, engine, page.size(), (words) => {
      $("progress").value = words;
      return !turn.canceled;
    }).catch((error) => notice(`The walk cannot be recorded: ${error.message}.`));
    recording = null;
    $("gif").lastChild.textContent = "GIF";
    $("video").lastChild.textContent = "Video";
    $("progress").value = blob ? `${(blob.size / 1e6).toFixed(1)} MB` : "";
    if (!blob) return;
    save(name, blob);
    say("The animation is downloaded");
  }

  $("png").addEventListener("click", savePng);
  $("npy").addEventListener("click", () => saveLatents(`${nameOf(page.shownFace())}.npy`, [stage.latent]));
  $("save-all").addEventListener("click", () =>
    saveLatents(
      "faces.npy",
      page.kept().map((face) => latentOf(face, engine)),
    ),
  );
  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", async ({ target }) => {
    if (target.files[0]) await openLatents(target.files[0]);
    target.value = "";
  });
  $("gif").addEventListener("click", () => record(makeGif, "walk.gif"));
  $("video").addEventListener("click", () => record(makeVideo, videoType().startsWith("video/mp4") ? "walk.mp4" : "walk.webm"));
  $("video").hidden = !videoType();
}
