// Tens of thousands of places, each of one class: stamped as pixels, thinned when zoomed out, found by the pointer.

const GAP_PX = 8; // zoomed out, thinned points keep about this distance
const LEAST_ZOOM = 8;
const ZOOM_STEP = 0.5;
const LAST_ZOOM = 16; // from here on every point is drawn
const FULL_SIZE_ZOOM = 15;
const LEAST_SCALE = 0.7;
const MOST_SCALE = 1.8;
const CELL_M = 150; // of the index for the pointer
const REACH_PX = 8;
const RING_PX = 3;

// The places, in local metres, with what depends on them alone.
export class Places {
  constructor(bytes, { count, origin, steps }, projection) {
    const numbers = new Uint16Array(bytes.buffer, bytes.byteOffset, 2 * count);
    this.count = count;
    this.x = new Float32Array(count);
    this.y = new Float32Array(count);
    for (let i = 0; i < count; i += 1) {
      this.x[i] = projection.x(origin[0] + numbers[i] * steps[0]);
      this.y[i] = projection.y(origin[1] + numbers[count + i] * steps[1]);
    }
    this.from = thinning(this.x, this.y, projection);
    this.byZoom = Uint32Array.from(this.from.keys()).sort((a, b) => this.from[a] - this.from[b] || a - b);
    this.#index();
  }

  // Points by cell of a grid: those of cell c are `order[start[c]]` up to `order[start[c + 1]]`.
  #index() {
    const { x, y, count } = this;
    this.x0 = x.reduce((a, b) => Math.min(a, b), Infinity);
    this.y0 = y.reduce((a, b) => Math.min(a, b), Infinity);
    this.columns = count ? Math.floor((x.reduce((a, b) => Math.max(a, b), -Infinity) - this.x0) / CELL_M) + 1 : 0;
    this.rows = count ? Math.floor((y.reduce((a, b) => Math.max(a, b), -Infinity) - this.y0) / CELL_M) + 1 : 0;
    const cell = Uint32Array.from({ length: count }, (_, i) =>
      Math.floor((y[i] - this.y0) / CELL_M) * this.columns + Math.floor((x[i] - this.x0) / CELL_M));
    this.start = new Uint32Array(this.columns * this.rows + 1);
    for (let i = 0; i < count; i += 1) this.start[cell[i] + 1] += 1;
    for (let c = 0; c < this.columns * this.rows; c += 1) this.start[c + 1] += this.start[c];
    const next = this.start.slice();
    this.order = new Uint32Array(count);
    for (let i = 0; i < count; i += 1) this.order[next[cell[i]]++] = i;
  }

  // The nearest point for which `counts` holds, within a distance in metres; -1 if there is none.
  nearest(x, y, reach, counts) {
    const columnOf = (at) => Math.floor((at - this.x0) / CELL_M);
    const rowOf = (at) => Math.floor((at - this.y0) / CELL_M);
    let best = -1;
    let least = reach * reach;
    for (let row = Math.max(0, rowOf(y - reach)); row <= Math.min(this.rows - 1, rowOf(y + reach)); row += 1) {
      const first = row * this.columns;
      const from = Math.max(0, columnOf(x - reach));
      const to = Math.min(this.columns - 1, columnOf(x + reach));
      if (to < from) continue;
      for (let k = this.start[first + from]; k < this.start[first + to + 1]; k += 1) {
        const i = this.order[k];
        const far = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
        if (far <= least && counts(i)) {
          least = far;
          best = i;
        }
      }
    }
    return best;
  }
}

export class PointsPainter {
  constructor(places, kinds, { classes, chosen }) {
    this.places = places;
    this.kinds = kinds;
    this.classes = classes;
    this.chosen = chosen;
    this.stamps = new Map();
    // Points of each class, those that are drawn from the farthest zoom first.
    const lists = classes.map(() => []);
    for (const i of places.byZoom) lists[kinds[i]]?.push(i);
    this.members = lists.map((list) => Uint32Array.from(list));
    this.share = 1;
  }

  #drawn(i, step) {
    const look = this.classes[this.kinds[i]];
    return look !== undefined && (!look.thinned || this.places.from[i] <= step);
  }

  draw(canvas, view, { name: theme, colours }, ratio) {
    const context = canvas.getContext("2d");
    const { width, height } = canvas;
    if (this.image?.width !== width || this.image?.height !== height) this.image = new ImageData(width, height);
    const pixels = new Uint32Array(this.image.data.buffer);
    pixels.fill(0);
    const step = zoomStep(view.zoom);
    const size = sizeAt(view.zoom) * ratio;
    let shown = 0;
    let thinned = 0;
    this.classes.forEach((look, kind) => {
      const stamp = this.#stamp(look, Math.max(0.8, look.radius_px * size), theme, colours.halo);
      const members = this.members[kind];
      const end = look.thinned ? firstAbove(members, this.places.from, step) : members.length;
      this.#stampAll(pixels, width, height, members.subarray(0, end), stamp, view, ratio);
      if (!look.thinned) return;
      shown += end;
      thinned += members.length;
    });
    this.share = thinned ? shown / thinned : 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.putImageData(this.image, 0, 0);
    this.#drawRings(context, view, size, theme, ratio);
  }

  #stampAll(pixels, width, height, members, stamp, view, ratio) {
    const { x, y } = this.places;
    const { side, data } = stamp;
    const scale = view.scale * ratio;
    const left = (view.width / 2) * ratio - view.cx * scale - side / 2;
    const top = (view.height / 2) * ratio - view.cy * scale - side / 2;
    for (const i of members) {
      const px = Math.round(x[i] * scale + left);
      const py = Math.round(y[i] * scale + top);
      if (px <= -side || py <= -side || px >= width || py >= height) continue;
      const whole = px >= 0 && px + side <= width;
      for (let row = Math.max(0, -py); row < Math.min(side, height - py); row += 1) {
        const at = (py + row) * width + px;
        for (let column = 0; column < side; column += 1) {
          if (!whole && (px + column < 0 || px + column >= width)) continue;
          const over = data[row * side + column];
          const alpha = over >>> 24;
          if (alpha === 255) pixels[at + column] = over;
          else if (alpha) pixels[at + column] = mixed(pixels[at + column], over, alpha);
        }
      }
    }
  }

  // A disc with a thin rim in the ground's colour, as pixels.
  #stamp({ colour, radius_px: nominal }, radius, theme, halo) {
    const key = `${colour} ${nominal} ${radius} ${theme}`;
    const known = this.stamps.get(key);
    if (known) return known;
    const rim = radius >= 2.5 ? Math.min(1.5, radius * 0.25) : 0;
    const side = 2 * Math.ceil(radius + rim) + 1;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [side, side];
    const context = canvas.getContext("2d");
    for (const [fill, r] of [[halo, radius + rim], [colour, radius]].slice(rim ? 0 : 1)) {
      context.fillStyle = fill;
      context.beginPath();
      context.arc(side / 2, side / 2, r, 0, 2 * Math.PI);
      context.fill();
    }
    const data = new Uint32Array(context.getImageData(0, 0, side, side).data.buffer);
    const stamp = { side, data };
    if (this.stamps.size > 64) this.stamps.clear();
    this.stamps.set(key, stamp);
    return stamp;
  }

  #drawRings(context, view, size, theme, ratio) {
    context.lineWidth = RING_PX * ratio;
    for (const i of this.chosen) {
      const radius = (this.classes[this.kinds[i]]?.radius_px ?? 0) * size + 4 * ratio;
      const px = ((this.places.x[i] - view.cx) * view.scale + view.width / 2) * ratio;
      const py = ((this.places.y[i] - view.cy) * view.scale + view.height / 2) * ratio;
      context.beginPath();
      context.arc(px, py, radius, 0, 2 * Math.PI);
      context.strokeStyle = theme === "dark" ? "#ffffff" : "#000000";
      context.stroke();
    }
  }

  // The index of the drawn point under a pixel of the map; -1 if there is none.
  at(view, px, py) {
    const step = zoomStep(view.zoom);
    const x = (px - view.width / 2) / view.scale + view.cx;
    const y = (py - view.height / 2) / view.scale + view.cy;
    return this.places.nearest(x, y, REACH_PX / view.scale, (i) => this.#drawn(i, step));
  }

  *marks(view) {
    const { x, y } = this.places;
    for (const [kind, { thinned }] of this.classes.entries()) {
      if (thinned) continue;
      for (const i of this.members[kind]) {
        yield [(x[i] - view.cx) * view.scale + view.width / 2, (y[i] - view.cy) * view.scale + view.height / 2, 1];
      }
    }
  }

  label(i) {
    return this.classes[this.kinds[i]].label;
  }
}

// Colour `over` with its alpha upon `under`, as ABGR numbers; what is empty takes the colour as it is.
function mixed(under, over, alpha) {
  const below = under >>> 24;
  if (!below) return over;
  const keep = 255 - alpha;
  const red = ((under & 255) * keep + (over & 255) * alpha + 127) / 255;
  const green = (((under >>> 8) & 255) * keep + ((over >>> 8) & 255) * alpha + 127) / 255;
  const blue = (((under >>> 16) & 255) * keep + ((over >>> 16) & 255) * alpha + 127) / 255;
  const opaque = alpha + (below * keep + 127) / 255;
  return ((opaque << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

const zoomStep = (zoom) => Math.floor((zoom - LEAST_ZOOM) / ZOOM_STEP);
const sizeAt = (zoom) => Math.min(MOST_SCALE, Math.max(LEAST_SCALE, 2 ** ((zoom - FULL_SIZE_ZOOM) / 2)));

// Where a list that rises in `from` passes the step.
function firstAbove(members, from, step) {
  let low = 0;
  let high = members.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (from[members[middle]] <= step) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The zoom step from which each point is drawn: at each step one more point in each still empty cell of the screen.
// The points are taken in a scattered order, so that none is preferred for its place in the table.
function thinning(x, y, projection) {
  const count = x.length;
  const last = zoomStep(LAST_ZOOM);
  const from = new Uint8Array(count).fill(last);
  const order = scattered(count);
  for (let step = 0; step < last; step += 1) {
    const cell = GAP_PX / projection.scale(LEAST_ZOOM + step * ZOOM_STEP);
    const taken = new Set();
    const key = (i) => Math.floor(x[i] / cell) * 1e6 + Math.floor(y[i] / cell);
    for (let i = 0; i < count; i += 1) if (from[i] < step) taken.add(key(i));
    for (const i of order) {
      if (from[i] !== last) continue;
      const at = key(i);
      if (taken.has(at)) continue;
      taken.add(at);
      from[i] = step;
    }
  }
  return from;
}

function scattered(count) {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  let seed = 12345;
  for (let i = count - 1; i > 0; i -= 1) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const k = seed % (i + 1);
    [order[i], order[k]] = [order[k], order[i]];
  }
  return order;
}
