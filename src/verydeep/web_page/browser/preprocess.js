// The preprocessing of the network, equal to that of Python: from the pixels of an image to the network input.

import { fixedPoint, resized, triangle } from "./resize.js";

/** RGBA pixels of an image file, upright, with its color values as they are stored. */
export async function decode(blob) {
  const bitmap = await createImageBitmap(blob, {
    imageOrientation: "from-image",
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** The network input for RGBA pixels: Float32Array of channels x size x size. */
export function networkInput(image, preprocess) {
  const { size, channels } = preprocess;
  const pixels = inChannels(image.data, channels);
  const { width, height, left, top } = placed(image, preprocess);
  const columns = fixedPoint(triangle(image.width, width, left, Math.min(width, size)));
  const rows = fixedPoint(triangle(image.height, height, top, Math.min(height, size)));
  const inner = resized(pixels, image, channels, columns, rows, height);
  return normalize(padded(inner, columns.length, rows.length, preprocess), preprocess);
}

/** Width and height of the resized image, and where its part that the network sees begins. */
function placed({ width, height }, { size, resize, fit }) {
  if (fit === "squash") {
    return { width: size, height: size, left: 0, top: 0 };
  }
  if (fit === "pad") {
    const inner = (side) => Math.max(1, roundHalfToEven((size * side) / Math.max(width, height)));
    return { width: inner(width), height: inner(height), left: 0, top: 0 };
  }
  const short = Math.min(width, height);
  const whole = { width: Math.trunc((resize * width) / short), height: Math.trunc((resize * height) / short) };
  const start = (side) => roundHalfToEven((side - size) / 2);
  return { ...whole, left: start(whole.width), top: start(whole.height) };
}

/** `pixels` in the middle of a square in the color of the padding. */
function padded(pixels, width, height, { size, channels, padding }) {
  if (width === size && height === size) {
    return pixels;
  }
  const square = new Uint8ClampedArray(size * size * channels).map((_, index) => padding[index % channels]);
  const left = Math.floor((size - width) / 2);
  const top = Math.floor((size - height) / 2);
  for (let row = 0; row < height; row++) {
    const line = pixels.subarray(row * width * channels, (row + 1) * width * channels);
    square.set(line, ((top + row) * size + left) * channels);
  }
  return square;
}

/** Gray or RGB on white, by Pillow's formulas of alpha_composite and of convert("L"). */
function inChannels(rgba, channels) {
  const pixels = new Uint8Array((rgba.length / 4) * channels);
  const color = [0, 0, 0];
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    const alpha = rgba[from + 3];
    for (let channel = 0; channel < 3; channel++) {
      const value = rgba[from + channel];
      color[channel] = alpha === 255 ? value : onWhite(value, alpha);
    }
    if (channels === 1) {
      pixels[to++] = (color[0] * 19595 + color[1] * 38470 + color[2] * 7471 + 0x8000) >> 16;
    } else {
      pixels[to++] = color[0];
      pixels[to++] = color[1];
      pixels[to++] = color[2];
    }
  }
  return pixels;
}

function onWhite(value, alpha) {
  const sum = value * alpha * 128 + 255 * (255 * 128 - alpha * 128) + (0x80 << 7);
  return ((sum >> 8) + sum) >> 15;
}

/** (value - mean) / std in 32-bit floats, the channels one after another, in the order of the network. */
function normalize(pixels, { size, channels, mean, std, scale, order }) {
  const input = new Float32Array(channels * size * size);
  const unit = Math.fround(255 / scale);
  for (let channel = 0, to = 0; channel < channels; channel++) {
    const shift = Math.fround(mean[channel]);
    const spread = Math.fround(std[channel]);
    let from = order === "bgr" ? channels - 1 - channel : channel;
    for (; to < (channel + 1) * size * size; to++, from += channels) {
      input[to] = Math.fround(Math.fround(Math.fround(pixels[from] / unit) - shift) / spread);
    }
  }
  return input;
}

/** As Python rounds. */
function roundHalfToEven(value) {
  const down = Math.floor(value);
  return value - down === 0.5 ? down + (down % 2) : Math.round(value);
}
