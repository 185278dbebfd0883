// The network in onnxruntime-web: from an image file to the probability of each class.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { decode, networkInput } from "./preprocess.js";

ort.env.wasm.numThreads = 1; // more need special headers of the server
ort.env.wasm.wasmPaths = { wasm: new URL("ort/ort-wasm-simd-threaded.wasm", import.meta.url).href };

/** The network of this folder: `{description, probabilities(blob)}`. */
export async function loadNetwork() {
  const [description, model] = await Promise.all([
    get("network.json").then((response) => response.json()),
    get("model.onnx").then((response) => response.arrayBuffer()),
  ]);
  const session = await ort.InferenceSession.create(new Uint8Array(model), { executionProviders: ["wasm"] });
  return { description, probabilities: (blob) => probabilities(session, description, blob) };
}

async function get(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok) {
    throw new Error(`the server has no ${name} (${response.status})`);
  }
  return response;
}

async function probabilities(session, { preprocess, temperature }, blob) {
  const input = networkInput(await decode(blob), preprocess);
  const { channels, size } = preprocess;
  const images = new ort.Tensor("float32", input, [1, channels, size, size]);
  const { logits } = await session.run({ images }, ["logits"]);
  return softmax(Array.from(logits.data, (value) => value / temperature));
}

function softmax(logits) {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const exponentials = logits.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((value) => value / sum);
}
