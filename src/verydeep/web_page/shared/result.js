// One image: its preview, the bars of its classes, "none of these" below the threshold, and the heat map over it.

import * as classifier from "./classifier.js";
import { at, percent, showError } from "./elements.js";

const NONE = "none of these";

let network = null;
let shown = null; // {file, url, answer, ms}
let changed = () => {};

/** `network` is what `connect` of the classifier gives. */
export function useNetwork(described) {
  network = described;
  at("heat-tools").hidden = !network.heatMethod;
  at("heat-method").textContent = network.heatMethod;
}

export const isShown = (entry) => entry === shown;

export const threshold = () => Number(at("threshold").value) / 100;

/** The answer for an image: its class, or "none of these". */
export const labelOf = ({ answer }) => (answer.confidence < threshold() ? NONE : answer.label);

/** `[name, share]` of each class in an answer, the most probable first; objects have names such as "7" first. */
export const classesOf = ({ probabilities }) => Object.entries(probabilities).sort(([, a], [, b]) => b - a);

export function listenToResult(onChange) {
  changed = onChange;
  at("preview").addEventListener("load", placeHeat);
  at("preview").addEventListener("error", () => at("preview").removeAttribute("src")); // TIFF, in most browsers
  at("explain").addEventListener("change", showHeat);
  at("opacity").addEventListener("input", () => {
    at("opacity-value").textContent = `${at("opacity").value} %`;
    at("heat").style.opacity = Number(at("opacity").value) / 100;
  });
  at("threshold").addEventListener("input", () => {
    at("threshold-value").textContent = `${at("threshold").value} %`;
    if (shown) showLabel();
  });
}

export function show(entry) {
  shown = entry;
  const { file } = entry.answer;
  at("result").hidden = false;
  if (at("preview").src !== entry.url) at("preview").src = entry.url;
  at("preview").alt = `The image ${file}`;
  at("file").textContent = file;
  at("bars").replaceChildren(...classesOf(entry.answer).map(([name, share]) => bar(name, share)));
  at("latency").textContent = `${Math.round(entry.ms)} ms ${classifier.LATENCY}`;
  showHeat();
  showLabel();
}

// What the threshold decides.
function showLabel() {
  at("label").textContent = labelOf(shown);
  at("bars").classList.toggle("rejected", shown.answer.confidence < threshold());
  changed();
}

export function clearResult() {
  shown = null;
  at("result").hidden = true;
}

function bar(name, share) {
  const item = document.createElement("li");
  const named = document.createElement("div");
  const track = document.createElement("div");
  const filled = document.createElement("div");
  [named.className, track.className, filled.className] = ["named", "track", "bar"];
  for (const text of [name, percent(share)]) {
    const span = document.createElement("span");
    span.textContent = text;
    named.append(span);
  }
  filled.style.width = `${100 * share}%`;
  track.append(filled);
  item.append(named, track);
  return item;
}

async function showHeat() {
  const heat = at("heat");
  const entry = shown;
  heat.hidden = true;
  if (!at("explain").checked || !entry) return;
  entry.heat ??= classifier.heatMap(entry.file); // once, however often the image is shown before the answer
  let map;
  try {
    map = await entry.heat;
  } catch (error) {
    if (entry.heat && entry === shown) showError(error.message);
    entry.heat = null;
    return;
  }
  if (entry !== shown || !at("explain").checked) return;
  heat.src = map.url;
  heat.alt = `Heat map of the evidence for ${map.label}`;
  heat.style.opacity = Number(at("opacity").value) / 100;
  placeHeat();
  heat.hidden = false;
}

// The network sees a square in the center, `crop` of the short side; or all of the image, padded or squashed.
function placeHeat() {
  const { naturalWidth: width, naturalHeight: height } = at("preview");
  if (!width) return;
  const side = network.fit === "pad" ? Math.max(width, height) : Math.min(width, height) * network.crop;
  const [across, down] = network.fit === "squash" ? [100, 100] : [(100 * side) / width, (100 * side) / height];
  Object.assign(at("heat").style, {
    left: `${(100 - across) / 2}%`, top: `${(100 - down) / 2}%`, width: `${across}%`, height: `${down}%`,
  });
}
