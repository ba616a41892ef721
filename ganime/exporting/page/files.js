// The page's own files: beside it, or embedded in it (compressed) if it is a single file. And files for the visitor.

const inMegabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

export const findEmbedded = (name) => document.querySelector(`script[data-file="${name}"]`);

/** Load one of the page's files as an ArrayBuffer; `report` is told how much is there. An Error says what went wrong. */
export async function load(name, report = () => {}) {
  const embedded = findEmbedded(name);
  if (embedded) return unpack(embedded, name);
  const answer = await fetch(name).catch(() => null);
  if (!answer?.ok)
    throw new Error(`The file ${name} of this page cannot be loaded; put it beside index.html and load the page again.`);
  const parts = [];
  let bytes = 0;
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Error(`The connection broke while ${name} was loading; load the page again.`);
    });
    if (done) return new Blob(parts).arrayBuffer();
    parts.push(value);
    bytes += value.length;
    report(inMegabytes(bytes));
  }
}

async function unpack(embedded, name) {
  if (typeof DecompressionStream === "undefined")
    throw new Error("This browser cannot unpack the file (it has no DecompressionStream); a newer one can.");
  try {
    // Not atob: after it, arithmetic in Firefox's workers takes a hundred times as long on some processors.
    const packed = await fetch(`data:;base64,${embedded.textContent}`);
    embedded.remove(); // it is large
    return await new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  } catch {
    throw new Error(`This file is damaged: its part ${name} cannot be unpacked; get it again.`);
  }
}

/** Start a worker from its script, an ArrayBuffer. */
export function startWorker(script) {
  if (typeof Worker === "undefined")
    throw new Error("This browser has no workers, in which the faces are drawn; a newer one has.");
  return new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
}

/** Hand a file to the visitor. */
export function save(name, blob) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
