// The page: images come in, `classifier.js` classifies them, and their classes are shown.
//
// `classifier.js` is one of two, with the same functions: the server's sends an image to the server that gave this
// page, and the browser's computes in a worker.

import { listenToCamera } from "./camera.js";
import * as classifier from "./classifier.js";
import { at, clearErrors, percent, showError, status } from "./elements.js";
import { clearResult, isShown, labelOf, listenToResult, show, useNetwork } from "./result.js";
import { downloadCsv, showRows } from "./table.js";

const TOP = 5; // classes of each image, as both classifiers give them
const entries = []; // {file, url, answer, error, ms, heat, wasShown}; heat is a promise
let network = null;

start();

async function start() {
  at("eyebrow").textContent = classifier.EYEBROW;
  at("privacy").textContent = classifier.PRIVACY;
  [at("link").textContent, at("link").href] = [classifier.LINK.text, classifier.LINK.address];
  try {
    network = await classifier.connect(status);
  } catch (error) {
    status("");
    showError(error.message);
    return;
  }
  status("");
  at("name").textContent = network.name;
  at("facts").textContent = network.facts;
  at("limits").textContent = network.formats;
  at("files").disabled = false;
  useNetwork(network);
  listen();
}

function listen() {
  at("files").addEventListener("change", (event) => {
    classify(event.target.files);
    event.target.value = ""; // the same file can be chosen again
  });
  document.addEventListener("paste", (event) => classify(event.clipboardData?.files ?? []));
  for (const kind of ["dragover", "drop", "dragleave"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      at("drop").classList.toggle("over", kind === "dragover");
      if (kind === "drop") classify(event.dataTransfer.files);
    });
  }
  listenToCamera(classify);
  listenToResult(rows);
  at("csv").addEventListener("click", () => downloadCsv(entries, Math.min(TOP, network.classes)));
  at("clear").addEventListener("click", clear);
}

function rows() {
  showRows(entries, isShown, show);
}

async function classify(files) {
  const added = [...files].map((file) => ({ file, url: URL.createObjectURL(file) }));
  if (!added.length) return;
  clearErrors();
  entries.push(...added);
  status(`Classifying ${added.length === 1 ? "the image" : `${added.length} images`} …`);
  const waiting = [...added];
  let done = 0;
  const work = async () => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      if (!isCleared(entry)) await classifyOne(entry);
      if (isCleared(entry)) return; // and so are all that were added with it
      done += 1;
      showFirst(added);
      status(done < added.length ? `${done} of ${added.length} images` : summary(added));
      rows();
    }
  };
  await Promise.all(Array.from({ length: classifier.AT_ONCE }, work));
}

const isCleared = (entry) => !entries.includes(entry);

// The first image of those added that can be read, as soon as it is classified; later ones wait in the table.
function showFirst(added) {
  const first = added.find((entry) => !entry.error);
  if (!first?.answer || first.wasShown) return;
  first.wasShown = true;
  show(first);
}

async function classifyOne(entry) {
  const { file } = entry;
  if (file.size > network.maxBytes) {
    entry.error = `larger than ${Math.floor(network.maxBytes / 1e6)} MB`;
  } else {
    const start = performance.now();
    try {
      entry.answer = await classifier.classify(file);
      entry.ms = performance.now() - start;
    } catch (error) {
      entry.error = error.message;
    }
  }
  if (entry.error && !isCleared(entry)) showError(`${file.name}: ${entry.error}`);
}

function summary(added) {
  const broken = added.filter((entry) => entry.error).length;
  if (added.length === 1) return broken ? "" : `${labelOf(added[0])}, ${percent(added[0].answer.confidence)}`;
  return `${added.length} images${broken ? `, ${broken} of them could not be classified` : ""}`;
}

function clear() {
  for (const { url, heat } of entries.splice(0)) {
    URL.revokeObjectURL(url);
    heat?.then((map) => URL.revokeObjectURL(map.url), () => {});
  }
  clearErrors();
  status("");
  clearResult();
  rows();
  at("files").focus();
}
