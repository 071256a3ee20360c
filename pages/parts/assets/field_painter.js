// The fields between ground and posts: a picture, areas from the page, the heat surface, the live streets of a drag.

import { decodeRings } from "./ground_file.js";
import { isMajor } from "./ground_painter.js";
import { HeatPainter } from "./heat_painter.js";

// Without a GPU a line of at most one pixel is drawn six times as fast as a wider one, and most streets are minor.
const LIVE_MINOR = { width_m: 16, min_px: 1, max_px: 6 };
const LIVE_MAJOR = { width_m: 30, min_px: 2.2, max_px: 8 };
const HAIRLINE_UP_TO_PX = 1.7;
const AREA_OPACITY_WHILE_LIVE = 0.25;

export class FieldPainter {
  constructor(projection, lines, ground) {
    this.projection = projection;
    this.lines = lines;
    this.ends = [ground.sections.edge_u, ground.sections.edge_v];
    const major = ground.classes.map(isMajor);
    this.major = Uint8Array.from(ground.sections.edge_class, (code) => (major[code] ? 1 : 0));
    this.areas = [];
    this.heat = null;
  }

  setAreas(areas) {
    this.areas = areas.map(({ rings, quantum, origin, fill, line, opacity, lasting }) => ({
      path: decodeRings(rings, quantum, origin, this.projection), fill, line, opacity, lasting,
    }));
  }

  setHeat(heat) {
    const text = heat ? JSON.stringify(heat) : "";
    if (text === this.heatText) return;
    this.heatText = text;
    this.heat = heat ? new HeatPainter(heat, this.projection) : null;
  }

  draw(canvas, view, ratio, live, image) {
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    image?.draw(context, view, ratio);
    this.heat?.draw(context, view, ratio);
    view.apply(context, ratio);
    const showLive = live?.shown && live.seconds;
    this.#drawAreas(context, view, this.areas.filter(({ lasting }) => !lasting), showLive);
    if (showLive) this.#drawLive(context, view, live);
    this.#drawAreas(context, view, this.areas.filter(({ lasting }) => lasting), false);
  }

  #drawAreas(context, view, areas, faint) {
    const px = 1 / view.scale;
    context.lineJoin = "round";
    for (const { path, fill, line, opacity } of areas) {
      context.globalAlpha = opacity * (faint ? AREA_OPACITY_WHILE_LIVE : 1);
      context.fillStyle = fill;
      context.fill(path, "evenodd");
      if (!line || faint) continue;
      context.globalAlpha = 0.9;
      context.strokeStyle = line;
      context.lineWidth = 1.25 * px;
      context.stroke(path);
    }
    context.globalAlpha = 1;
  }

  // Each street in the colour of the first threshold within which both its ends are reached.
  #drawLive(context, view, { seconds, config }) {
    const { thresholds_s: thresholds, colours } = config;
    const { offsets, x, y } = this.lines;
    const [u, v] = this.ends;
    const box = view.visible(20);
    const paths = thresholds.map(() => [new Path2D(), new Path2D()]);
    const last = thresholds[thresholds.length - 1];
    const short = 1.5 / view.scale;
    for (let e = 0; e < u.length; e += 1) {
      const reach = Math.max(seconds[u[e]], seconds[v[e]]);
      if (!(reach <= last)) continue;
      const first = offsets[e];
      const end = offsets[e + 1];
      if (end - first < 2) continue;
      const ax = x[first];
      const ay = y[first];
      const bx = x[end - 1];
      const by = y[end - 1];
      if ((ax < box.x0 && bx < box.x0) || (ax > box.x1 && bx > box.x1)) continue;
      if ((ay < box.y0 && by < box.y0) || (ay > box.y1 && by > box.y1)) continue;
      let band = 0;
      while (reach > thresholds[band]) band += 1;
      const path = paths[band][this.major[e]];
      path.moveTo(ax, ay);
      for (let k = first + 1; k < end - 1; k += 1) {
        if (Math.abs(x[k] - ax) + Math.abs(y[k] - ay) > short) path.lineTo(x[k], y[k]);
      }
      path.lineTo(bx, by);
    }
    context.lineCap = "butt";
    context.lineJoin = "miter";
    for (const [rank, style] of [LIVE_MINOR, LIVE_MAJOR].entries()) {
      context.lineWidth = livePx(style, view) / view.scale;
      for (let band = thresholds.length - 1; band >= 0; band -= 1) {
        context.strokeStyle = colours[band];
        context.stroke(paths[band][rank]);
      }
    }
  }
}

function livePx({ width_m: width, min_px: least, max_px: most }, view) {
  const px = Math.min(most, Math.max(least, width * view.scale));
  return least === 1 && px < HAIRLINE_UP_TO_PX ? 1 : px;
}
