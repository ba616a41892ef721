// A slider with its name, its value in words, and a button that resets it.

/** Put a slider into an element; `input(value, done)` is called while it moves, and once more when it is let go. */
export function makeSlider(place, { id, name, least, most, step, initial, words, input, resets = false }) {
  const label = Object.assign(document.createElement("label"), { htmlFor: id, textContent: name });
  const output = Object.assign(document.createElement("output"), { htmlFor: id });
  const range = Object.assign(document.createElement("input"), { type: "range", id, min: least, max: most, step });
  const reset = Object.assign(document.createElement("button"), { className: "reset", textContent: "×" });
  reset.setAttribute("aria-label", `Reset ${name.toLowerCase()}`);
  place.classList.add("slider");
  place.append(label, ...(resets ? [reset] : []), output, range);

  const set = (value) => {
    range.value = value;
    const share = (number) => `${(100 * (number - least)) / (most - least)}%`;
    const origin = least < 0 ? 0 : least;
    range.style.setProperty("--from", share(Math.min(origin, value)));
    range.style.setProperty("--to", share(Math.max(origin, value)));
    output.value = words(value);
    range.setAttribute("aria-valuetext", words(value));
    reset.disabled = value === initial;
  };
  const changed = (done) => {
    set(Number(range.value));
    input(Number(range.value), done);
  };
  range.addEventListener("input", () => changed(false));
  range.addEventListener("change", () => changed(true));
  reset.addEventListener("click", () => {
    range.value = initial;
    changed(true);
    range.focus();
  });
  set(initial);
  return { set, range };
}

/** The name of an edit, as in "Hair warmth". */
export const inWords = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("-", " ");
