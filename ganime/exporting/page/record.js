// Pictures and animations to take along.

import { enlarge } from "./enlarge.js";
import { GIFEncoder, applyPalette, quantize } from "./gifenc.js";

const FPS = 25;
const BLOCK = 25; // frames of a GIF that share their colors, so that what stays as it is does not shimmer

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

/** A walk as a GIF; `report(done, count)` is called after each frame and returns whether to go on. Null if it was not. */
export async function makeGif(walk, { width, height }, { scale, sharp }, report) {
  const gif = GIFEncoder();
  const count = walk.countFrames(FPS);
  let [block, done] = [[], 0];
  for await (const pixels of walk.frames(FPS)) {
    block.push(pixels);
    if (block.length < BLOCK && done + block.length < count) continue;
    const palette = quantize(join(block), 256);
    for (const frame of block) {
      const index = applyPalette(enlarge(frame, width, height, scale, sharp), palette);
      const colors = done && done < BLOCK ? null : palette; // null: those of the first frame
      gif.writeFrame(index, width * scale, height * scale, { palette: colors, delay: 1000 / FPS });
      if (!report(++done, count)) return null;
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
export async function makeVideo(walk, { width, height }, { scale, sharp }, report) {
  const canvas = Object.assign(document.createElement("canvas"), { width: width * scale, height: height * scale });
  const context = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(), { mimeType: videoType(), videoBitsPerSecond: 8e6 });
  const parts = [];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  const ended = new Promise((resolve) => (recorder.onstop = resolve));
  const count = walk.countFrames(FPS);
  let [done, start] = [0, null];
  for await (const pixels of walk.frames(FPS)) {
    const picture = new ImageData(enlarge(pixels, width, height, scale, sharp), canvas.width, canvas.height);
    if (!done) recorder.start();
    start ??= performance.now();
    await pause(Math.max(0, start + (1000 * done) / FPS - performance.now()));
    context.putImageData(picture, 0, 0);
    if (!report(++done, count)) break;
  }
  await pause(1000 / FPS);
  recorder.stop();
  await ended;
  return done === count ? new Blob(parts, { type: videoType() }) : null;
}
