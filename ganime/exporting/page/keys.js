// Single keys that do something wherever one is, but not while one types.

/** Let each key of `acts` do its act while `allowed()`. */
export function connectKeys(acts, allowed) {
  document.addEventListener("keydown", (event) => {
    const key = event.key?.toLowerCase(); // with Shift or Caps Lock too
    const typing = event.target.matches("input:not([type=range], [type=checkbox], [type=radio])");
    if (!Object.hasOwn(acts, key) || typing || event.ctrlKey || event.metaKey || event.altKey || !allowed()) return;
    event.preventDefault();
    acts[key]();
  });
}

/** Let the arrow keys go from tab to tab. */
export function connectTabs(list, choose) {
  const act = (tab) => choose(tab.id.replace("tab-", ""));
  list.addEventListener("click", ({ target }) => target !== list && act(target));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const tabs = [...list.children].filter((tab) => tab.offsetParent);
    const next = tabs.at((tabs.indexOf(event.target) + step) % tabs.length);
    next.focus();
    act(next);
  });
}
