// Classifies images in this browser: a worker decodes and computes, so that the page never waits for it.

export const EYEBROW = "in this browser";
export const PRIVACY = "Images are classified in this browser and do not leave this device.";
export const LINK = { text: "The network as an ONNX file", address: "model.onnx" };
export const LATENCY = "to decode the image and classify it";
export const AT_ONCE = 1; // the worker takes one image after another

const NEEDED = ["Worker", "WebAssembly", "OffscreenCanvas", "createImageBitmap"];

const waiting = new Map(); // of each request to the worker, its {resolve, reject}
let worker = null;
let failure = null;
let requests = 0;
let onProgress = () => {};

/** What the page says about the network, once it is loaded; `progress` is told about the download. */
export async function connect(progress) {
  const missing = NEEDED.filter((name) => !(name in globalThis));
  if (missing.length) {
    throw new Error(`This browser has no ${missing.join(", no ")}, which the page needs. Use a current browser.`);
  }
  onProgress = progress;
  worker = startWorker();
  const { name, classes, preprocess, hasHeatMaps } = await request({ kind: "load" }).catch(({ message }) => {
    throw new Error(`The network cannot be loaded: ${message}`);
  });
  return {
    name,
    classes: classes.length,
    facts: `${classes.length.toLocaleString("en")} ${classes.length === 1 ? "class" : "classes"}, ${preprocess.size} px`,
    formats: "JPEG, PNG, WebP, GIF, BMP and what else this browser shows",
    maxBytes: Infinity,
    heatMethod: hasHeatMaps ? "Grad-CAM" : null,
    fit: preprocess.fit,
    crop: preprocess.size / preprocess.resize,
  };
}

/** `{file, label, confidence, probabilities}` of an image. */
export async function classify(file) {
  const probabilities = await request({ kind: "classify", file });
  const [[label, confidence]] = probabilities;
  return { file: file.name, label, confidence, probabilities: Object.fromEntries(probabilities) };
}

/** `{label, url}`: a picture of the evidence for the predicted class. */
export async function heatMap(file) {
  const { label, picture } = await request({ kind: "heat map", file });
  return { label, url: URL.createObjectURL(picture) };
}

// A worker from a blob has the Content-Security-Policy of the page; one from an address would have none.
function startWorker() {
  const address = new URL("worker.js", import.meta.url).href;
  const code = new Blob([`import ${JSON.stringify(address)};`], { type: "text/javascript" });
  const started = new Worker(URL.createObjectURL(code), { type: "module" });
  started.addEventListener("message", ({ data }) => receive(data));
  started.addEventListener("error", (event) => {
    event.preventDefault();
    const why = event.message || "a file of the page is missing, or this browser has no module workers";
    failure = new Error(why);
    for (const { reject } of waiting.values()) reject(failure);
    waiting.clear();
  });
  return started;
}

async function request(message) {
  if (failure) throw failure;
  const id = (requests += 1);
  worker.postMessage({ id, ...message });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

function receive({ id, progress, error, value }) {
  if (progress) {
    onProgress(progress);
    return;
  }
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(value);
}
