// The network in onnxruntime-web: from the pixels of an image to the probability of each class.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { networkInput } from "./preprocess.js";

ort.env.wasm.numThreads = 1; // more need special headers of the server
ort.env.wasm.wasmPaths = { wasm: new URL("ort/ort-wasm-simd-threaded.wasm", import.meta.url).href };

/** The network of this folder: `{description, hasClassMaps, run(image, wantsMaps)}`. */
export async function loadNetwork(progress) {
  const description = await (await get("network.json")).json();
  const model = await download("model.onnx", progress);
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  return {
    description,
    hasClassMaps: session.outputNames.includes("class_maps"),
    run: (image, wantsMaps) => run(session, description, image, wantsMaps),
  };
}

async function get(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok) {
    throw new Error(`the server has no ${name} (status ${response.status})`);
  }
  return response;
}

async function download(name, progress) {
  const pieces = [];
  let bytes = 0;
  const reader = (await get(name)).body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    pieces.push(piece.value);
    bytes += piece.value.length;
    progress(`Loading the network: ${(bytes / 1e6).toFixed(0)} MB`);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

/** `{logits, probabilities, classMaps(index)}` of an image. */
async function run(session, { preprocess, temperature }, image, wantsMaps) {
  const { channels, size } = preprocess;
  const images = new ort.Tensor("float32", networkInput(image, preprocess), [1, channels, size, size]);
  const outputs = await session.run({ images }, ["logits", ...(wantsMaps ? ["class_maps"] : [])]);
  const logits = outputs.logits.data;
  const probabilities = softmax(Array.from(logits, (value) => value / temperature));
  return { logits, probabilities, classMaps: (index) => classMap(outputs.class_maps, index) };
}

/** The evidence for one class at each position: `{values, width, height}`. */
function classMap({ data, dims: [, , height, width] }, index) {
  return { values: data.subarray(index * height * width, (index + 1) * height * width), width, height };
}

function softmax(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const exponentials = logits.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((value) => value / sum);
}
