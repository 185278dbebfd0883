// The resize of Pillow (src/libImaging/Resample.c): a triangle filter that grows with the reduction, first along one
// axis and then along the other. The browser's own drawImage gives other values.

const COEFFICIENT_BITS = 22;

/**
 * For each of `count` output positions from `start`: the first input position, and weights with the sum 1.
 * A side that keeps its length is not filtered.
 */
export function triangle(inputs, outputs, start, count) {
  const scale = inputs / outputs;
  const support = Math.max(scale, 1);
  const positions = [];
  for (let output = start; output < start + count; output++) {
    if (inputs === outputs) {
      positions.push({ first: output, weights: Float64Array.of(1) });
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
    positions.push({ first, weights: weights.map((weight) => weight / total) });
  }
  return positions;
}

/** The same positions with whole numbers as weights, for pixels of 8 bits. */
export function fixedPoint(positions) {
  return positions.map(({ first, weights }) => ({
    first,
    weights: Int32Array.from(weights, (weight) => Math.trunc(0.5 + weight * (1 << COEFFICIENT_BITS))),
  }));
}

/** Pixels of 8 bits: rows first, and columns first for an image higher than twice its width that gets smaller, as Pillow 13 does. */
export function resized(pixels, image, channels, columns, rows, height) {
  if (image.height > 2 * image.width && height < image.height) {
    const low = alongColumns(pixels, image.width, channels, rows);
    return alongRows(low, image.width, rows.length, channels, columns);
  }
  const narrow = alongRows(pixels, image.width, image.height, channels, columns);
  return alongColumns(narrow, columns.length, channels, rows);
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

/** One plane of 32-bit floats resized to `width` x `height`, rounded to 32 bits after each axis. */
export function resizedFloats({ values, width: from, height: lines }, width, height) {
  const narrow = new Float32Array(lines * width);
  triangle(from, width, 0, width).forEach(({ first, weights }, column) => {
    for (let row = 0; row < lines; row++) {
      narrow[row * width + column] = weights.reduce((sum, each, i) => sum + each * values[row * from + first + i], 0);
    }
  });
  const resized = new Float32Array(height * width);
  triangle(lines, height, 0, height).forEach(({ first, weights }, row) => {
    for (let column = 0; column < width; column++) {
      resized[row * width + column] = weights.reduce((sum, each, i) => sum + each * narrow[(first + i) * width + column], 0);
    }
  });
  return resized;
}
