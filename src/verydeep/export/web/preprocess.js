// The preprocessing of the network, equal to that of Python: from the pixels of an image to the network input.
//
// The resize is Pillow's (src/libImaging/Resample.c): a triangle filter that grows with the reduction, first
// along one axis and then along the other, each rounded to 8 bits. The browser's own drawImage gives other values.

const COEFFICIENT_BITS = 22;

/** RGBA pixels of an image file, upright, with its color values as they are stored. */
export async function decode(blob) {
  const bitmap = await createImageBitmap(blob, {
    imageOrientation: "from-image",
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
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
  const columns = filter(image.width, width, left, Math.min(width, size));
  const rows = filter(image.height, height, top, Math.min(height, size));
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

/** Rows first, and columns first for an image higher than twice its width that gets smaller, as Pillow 13 does. */
function resized(pixels, image, channels, columns, rows, height) {
  if (image.height > 2 * image.width && height < image.height) {
    const low = alongColumns(pixels, image.width, channels, rows);
    return alongRows(low, image.width, rows.length, channels, columns);
  }
  const narrow = alongRows(pixels, image.width, image.height, channels, columns);
  return alongColumns(narrow, columns.length, channels, rows);
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

/**
 * For each of `count` output positions from `start`: the first input position, and the weights in fixed point.
 * A side that keeps its length is not filtered.
 */
function filter(inputs, outputs, start, count) {
  const scale = inputs / outputs;
  const support = Math.max(scale, 1);
  const positions = [];
  for (let output = start; output < start + count; output++) {
    if (inputs === outputs) {
      positions.push({ first: output, weights: Int32Array.of(1 << COEFFICIENT_BITS) });
      continue;
    }
    const center = (output + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(inputs, Math.trunc(center + support + 0.5));
    const weights = new Float64Array(end - first);
    let total = 0;
    for (let index = 0; index < weights.length; index++) {
      weights[index] = Math.max(0, 1 - Math.abs((index + first - center + 0.5) * (1 / support)));
      total += weights[index];
    }
    const fixed = weights.map((weight) => Math.trunc(0.5 + (weight / total) * (1 << COEFFICIENT_BITS)));
    positions.push({ first, weights: Int32Array.from(fixed) });
  }
  return positions;
}

function alongRows(pixels, width, height, channels, columns) {
  const narrow = new Uint8ClampedArray(height * columns.length * channels);
  for (let row = 0, to = 0; row < height; row++) {
    for (const { first, weights } of columns) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = 1 << (COEFFICIENT_BITS - 1);
        let from = (row * width + first) * channels + channel;
        for (let index = 0; index < weights.length; index++, from += channels) {
          sum += pixels[from] * weights[index];
        }
        narrow[to++] = sum >> COEFFICIENT_BITS;
      }
    }
  }
  return narrow;
}

function alongColumns(pixels, width, channels, rows) {
  const stride = width * channels;
  const short = new Uint8ClampedArray(rows.length * stride);
  for (let row = 0, to = 0; row < rows.length; row++) {
    const { first, weights } = rows[row];
    for (let column = 0; column < stride; column++) {
      let sum = 1 << (COEFFICIENT_BITS - 1);
      for (let index = 0, from = first * stride + column; index < weights.length; index++, from += stride) {
        sum += pixels[from] * weights[index];
      }
      short[to++] = sum >> COEFFICIENT_BITS;
    }
  }
  return short;
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
