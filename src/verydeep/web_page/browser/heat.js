// Heat maps from the class maps of the network: for a linear head after a global average pool, this is Grad-CAM.

import { resizedFloats } from "./resize.js";

/** The positive evidence, resized to the network input, in [0, 1] relative to its maximum. */
export function heatOf({ values, width, height }, size) {
  const evidence = { values: values.map((value) => Math.max(value, 0)), width, height };
  const heat = resizedFloats(evidence, size, size);
  const largest = Math.max(heat.reduce((a, b) => Math.max(a, b)), 1e-12);
  return heat.map((value) => value / largest);
}

/** A PNG of the heat, whose opacity is the heat; `colors` are RGB triples from cold to hot. */
export async function heatPicture(map, size, colors) {
  const picture = new ImageData(size, size);
  heatOf(map, size).forEach((heat, index) => {
    picture.data.set([...colorAt(heat * (colors.length - 1), colors), 255 * heat], 4 * index);
  });
  const canvas = new OffscreenCanvas(size, size);
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

function colorAt(position, colors) {
  const below = Math.min(Math.trunc(position), colors.length - 2);
  return colors[below].map((value, channel) => value + (position - below) * (colors[below + 1][channel] - value));
}
