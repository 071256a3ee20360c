// A soft surface of weighted points: Gaussian kernels summed on a coarse grid, coloured from low to high.

const CELL_PX = 4;
const REACH = 3; // standard deviations
const RAMP_STEPS = 256;
const TOP_SHARE = 0.995; // the top colour is this quantile of the covered cells, so that one peak hides nothing

export class HeatPainter {
  constructor({ origin, points, kernel_m: kernel, colours }, projection) {
    const bytes = Uint8Array.from(atob(points), (letter) => letter.charCodeAt(0));
    const numbers = new Float32Array(bytes.buffer);
    this.count = numbers.length / 3;
    this.x = new Float32Array(this.count);
    this.y = new Float32Array(this.count);
    this.weight = new Float32Array(this.count);
    for (let i = 0; i < this.count; i += 1) {
      this.x[i] = projection.x(origin[0] + numbers[3 * i]);
      this.y[i] = projection.y(origin[1] + numbers[3 * i + 1]);
      this.weight[i] = numbers[3 * i + 2];
    }
    this.kernel = kernel;
    this.ramp = ramp(colours);
    this.top = 0;
  }

  draw(context, view, ratio) {
    const s = view.scale / CELL_PX;
    const sigma = Math.max(0.7, this.kernel * s);
    const pad = Math.ceil(REACH * sigma);
    const wide = Math.ceil(view.width / CELL_PX);
    const high = Math.ceil(view.height / CELL_PX);
    const [w, h] = [wide + 2 * pad, high + 2 * pad];
    const grid = new Float32Array(w * h);
    for (let i = 0; i < this.count; i += 1) {
      const gx = (this.x[i] - view.cx) * s + wide / 2 + pad - 0.5;
      const gy = (this.y[i] - view.cy) * s + high / 2 + pad - 0.5;
      const x0 = Math.floor(gx);
      const y0 = Math.floor(gy);
      if (x0 < 0 || y0 < 0 || x0 + 1 >= w || y0 + 1 >= h) continue;
      const fx = gx - x0;
      const fy = gy - y0;
      const at = y0 * w + x0;
      grid[at] += this.weight[i] * (1 - fx) * (1 - fy);
      grid[at + 1] += this.weight[i] * fx * (1 - fy);
      grid[at + w] += this.weight[i] * (1 - fx) * fy;
      grid[at + w + 1] += this.weight[i] * fx * fy;
    }
    blur(grid, w, h, sigma);
    // A density per square metre means the same at every zoom; the colours are set by the first, whole view.
    const area = (CELL_PX / view.scale) ** 2;
    if (!this.top) this.top = quantile(grid, TOP_SHARE) / area;
    const image = new ImageData(wide, high);
    const pixels = new Uint32Array(image.data.buffer);
    const factor = (RAMP_STEPS - 1) / (this.top * area || 1);
    for (let row = 0; row < high; row += 1) {
      for (let column = 0; column < wide; column += 1) {
        const value = grid[(row + pad) * w + column + pad] * factor;
        pixels[row * wide + column] = this.ramp[Math.min(RAMP_STEPS - 1, Math.floor(value))];
      }
    }
    this.buffer ??= document.createElement("canvas");
    this.buffer.width = wide;
    this.buffer.height = high;
    this.buffer.getContext("2d").putImageData(image, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.buffer, (view.width - wide * CELL_PX) / 2, (view.height - high * CELL_PX) / 2, wide * CELL_PX, high * CELL_PX);
  }
}

function quantile(grid, share) {
  const covered = grid.filter((value) => value > 0).sort();
  return covered.length ? covered[Math.floor(share * (covered.length - 1))] : 0;
}

// Separable Gaussian, in place.
function blur(grid, w, h, sigma) {
  const reach = Math.ceil(REACH * sigma);
  const kernel = Float32Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
  const total = kernel.reduce((sum, value) => sum + value, 0);
  for (let i = 0; i < kernel.length; i += 1) kernel[i] /= total;
  const pass = (source, result, lines, length, lineStep, step) => {
    for (let line = 0; line < lines; line += 1) {
      const start = line * lineStep;
      for (let i = 0; i < length; i += 1) {
        const value = source[start + i * step];
        if (!value) continue;
        const from = Math.max(0, i - reach);
        const to = Math.min(length - 1, i + reach);
        for (let k = from; k <= to; k += 1) result[start + k * step] += value * kernel[k - i + reach];
      }
    }
  };
  const across = new Float32Array(grid.length);
  pass(grid, across, h, w, w, 1);
  grid.fill(0);
  pass(across, grid, w, h, 1, w);
}

// 256 colours as ABGR numbers; the lowest tenth fades in from nothing.
function ramp(colours) {
  const stops = colours.map((hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  return Uint32Array.from({ length: RAMP_STEPS }, (_, i) => {
    const share = i / (RAMP_STEPS - 1);
    const place = share * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(place));
    const [r, g, b] = stops.length === 1
      ? stops[0]
      : [0, 1, 2].map((c) => Math.round(stops[low][c] + (stops[low + 1][c] - stops[low][c]) * (place - low)));
    const alpha = Math.round(215 * Math.min(1, share / 0.22) ** 1.3);
    return ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
  });
}
