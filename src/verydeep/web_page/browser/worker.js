// In a worker: loads the network, and answers requests of the page one after another.

import { heatPicture } from "./heat.js";
import { loadNetwork } from "./network.js";
import { decode } from "./preprocess.js";

const TOP = 5;

let network = null;
let queue = Promise.resolve();

addEventListener("message", ({ data: { id, ...message } }) => {
  queue = queue.then(async () => {
    try {
      postMessage({ id, value: await answer(message) });
    } catch (error) {
      postMessage({ id, error: error.message });
    }
  });
});

async function answer({ kind, file }) {
  if (kind === "load") {
    network = await loadNetwork((progress) => postMessage({ progress }));
    return { ...network.description, hasHeatMaps: network.hasClassMaps };
  }
  const { probabilities, classMaps } = await network.run(await read(file), kind === "heat map");
  const { classes, preprocess, heat_colors: colors } = network.description;
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  if (kind === "classify") return order.slice(0, TOP).map((index) => [classes[index], probabilities[index]]);
  return { label: classes[order[0]], picture: await heatPicture(classMaps(order[0]), preprocess.size, colors) };
}

async function read(file) {
  try {
    return await decode(file);
  } catch {
    throw new Error("this browser cannot read the file as an image");
  }
}
