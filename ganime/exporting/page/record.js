// Pictures and animations to take along.

import { enlarge } from "./enlarge.js";
import { GIFEncoder, applyPalette, quantize } from "./gifenc.js";

const FPS = 25;
const BLOCK = 25; // frames of a GIF that share their colors, so that what stays as it is does not shimmer
const MOST = { frames: 600, bytes: 25e6 }; // of a GIF, which is for messages
const ROOM = 600e6; // bytes for a video's frames

export const videoType = () =>
  ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"].find(
    (type) => typeof MediaRecorder === "function" && MediaRecorder.isTypeSupported(type),
  );

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A picture as a PNG, `scale` times as large. */
export function makePng(pixels, width, height, { scale, sharp }) {
  const canvas = Object.assign(document.createElement("canvas"), { width: width * scale, height: height * scale });
  const picture = new ImageData(enlarge(pixels, width, height, scale, sharp), canvas.width, canvas.height);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

const inMegabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function limit(most, wanted, words, choices = "") {
  if (wanted <= most) return;
  const choose = `choose ${choices}fewer faces, or less time from face to face`;
  throw new Error(`it would be ${words(wanted)}, and ${words(most)} at most can be made: ${choose}`);
}

/**
 * A walk as a GIF; `report(words)` is called after each frame and returns whether to go on. Null if it was not. An Error says
 * why there is none.
 */
export async function makeGif(walk, { width, height }, { scale, sharp }, report) {
  const gif = GIFEncoder();
  const count = walk.countFrames(FPS);
  limit(MOST.frames, count, (frames) => `${frames} frames`);
  let [block, done] = [[], 0];
  for await (const pixels of walk.frames(FPS)) {
    block.push(pixels);
    if (block.length < BLOCK && done + block.length < count) continue;
    const palette = quantize(join(block), 256);
    for (const frame of block) {
      const index = applyPalette(enlarge(frame, width, height, scale, sharp), palette);
      const colors = done && done < BLOCK ? null : palette; // null: those of the first frame
      gif.writeFrame(index, width * scale, height * scale, { palette: colors, delay: 1000 / FPS });
      const size = (gif.bytesView().length * count) / ++done; // all frames are about as large
      if (done === 1) limit(MOST.bytes, size, inMegabytes, "a smaller size, ");
      if (!report(`${done} of ${count} frames, about ${inMegabytes(size)}`)) return null;
      await pause(0);
    }
    block = [];
  }
  gif.finish();
  return new Blob([gif.bytes()], { type: "image/gif" });
}

function join(frames) {
  const all = new Uint8ClampedArray(frames.length * frames[0].length);
  frames.forEach((frame, i) => all.set(frame, i * frame.length));
  return all;
}

/** A walk as a video, recorded while it plays once. As `makeGif`. */
export async function makeVideo(walk, engine, { scale, sharp }, report) {
  const frames = await drawFrames(walk, engine, report);
  if (!frames) return null;
  const { width, height } = engine;
  const face = document.createElement("canvas");
  const canvas = Object.assign(document.createElement("canvas"), { width: width * scale, height: height * scale });
  const context = canvas.getContext("2d");
  Object.assign(context, { imageSmoothingEnabled: !sharp, imageSmoothingQuality: "high" });
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: videoType(), videoBitsPerSecond: 8e6 });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const ended = new Promise((resolve) => (recorder.onstop = resolve));
  const start = performance.now();
  recorder.start();
  let goesOn = true;
  // The recorder's clock is the wall's: a frame that comes too late is left out, so that the video is as long as the walk.
  for (let i = 0; goesOn && i < frames.length; i = Math.floor(((performance.now() - start) * FPS) / 1000)) {
    engine.paint(face, frames[i]);
    context.drawImage(face, 0, 0, canvas.width, canvas.height); // enlarged by the browser, which takes little time
    goesOn = report(`${(i / FPS).toFixed(1)} of ${(frames.length / FPS).toFixed(1)} seconds`);
    await pause(Math.max(0, start + (1000 * (i + 1)) / FPS - performance.now()));
  }
  recorder.pause(); // it would drop the frames that it has not encoded yet, which may be a second of large ones
  if (goesOn) await pause(1000);
  recorder.stop();
  await ended;
  return goesOn ? new Blob(parts, { type: videoType() }) : null;
}

/** A walk's frames, all drawn before they are needed. Null if they are not wanted any more. */
async function drawFrames(walk, { width, height }, report) {
  const count = walk.countFrames(FPS);
  const most = Math.floor(ROOM / (4 * width * height));
  limit(most, count, (frames) => `${Math.floor(frames / FPS)} seconds long`);
  const frames = [];
  for await (const pixels of walk.frames(FPS)) if (!report(`frame ${frames.push(pixels)} of ${count} drawn`)) return null;
  return frames;
}
