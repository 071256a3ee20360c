// Land, water, streets and names on 2D canvases: Path2D in local metres, cut into tiles so that a close view draws little.

import { decodeLines } from "./ground_file.js";

const TILE_M = 2500;

// How a class of road is drawn: which layer, real width in metres, and the least and most pixels.
const ROADS = {
  motorway: { layer: "freeway", width_m: 34, min_px: 2.1, max_px: 12 },
  motorway_link: { layer: "freeway", width_m: 14, min_px: 0.8, max_px: 7 },
  trunk: { layer: "major", width_m: 26, min_px: 1.5, max_px: 11 },
  primary: { layer: "major", width_m: 22, min_px: 1.1, max_px: 11 },
  secondary: { layer: "middle", width_m: 17, min_px: 0.9, max_px: 10 },
  tertiary: { layer: "middle", width_m: 14, min_px: 0.7, max_px: 9 },
  residential: { layer: "minor", width_m: 10, min_px: 0.35, max_px: 8 },
  service: { layer: "minor", width_m: 5, min_px: 0.15, max_px: 4 },
};
const SAME = {
  trunk_link: "secondary", primary_link: "tertiary", secondary_link: "tertiary", tertiary_link: "residential",
  living_street: "residential", unclassified: "residential", track: "service", path: "service",
};
const ORDER = ["service", "residential", "tertiary", "secondary", "primary", "trunk", "motorway_link", "motorway"];
const LABEL_MIN_ZOOM = 11.4;
const STREET_MIN_ZOOM = [12.6, 13.4, 14.6]; // by rank
const STREET_FONT_PX = 10.5;
const STREET_GAP_PX = 280; // between two names of one street
const LABEL_GAP_PX = 6;

export const isMajor = (kind) => ["major", "freeway"].includes(ROADS[roadStyle(kind)].layer);
const roadStyle = (kind) => (kind in ROADS ? kind : SAME[kind] ?? "residential");

export class GroundPainter {
  constructor(ground, projection) {
    this.lines = decodeLines(ground, "streets", projection);
    this.land = ringsPath(decodeLines(ground, "land", projection));
    this.water = ringsPath(decodeLines(ground, "water", projection));
    this.borders = ringsPath(decodeLines(ground, "borders", projection));
    this.tiles = tilesOf(this.lines, ground);
    this.labels = ground.labels
      .map(([kind, name, lon, lat, room_m]) => ({ kind, name, x: projection.x(lon), y: projection.y(lat), room_m }))
      .sort((a, b) => b.room_m - a.room_m);
    this.names = namesOf(ground, projection);
  }

  draw(canvas, view, { colours }, ratio) {
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = colours.outside;
    context.fillRect(0, 0, canvas.width, canvas.height);
    view.apply(context, ratio);
    context.fillStyle = colours.land;
    context.fill(this.land, "evenodd");
    context.fillStyle = colours.water;
    context.fill(this.water, "evenodd");
    const px = 1 / view.scale;
    context.lineJoin = "round";
    if (view.zoom >= LABEL_MIN_ZOOM) {
      context.strokeStyle = colours.border;
      context.lineWidth = 1 * px;
      context.setLineDash([4 * px, 3 * px]);
      context.stroke(this.borders);
      context.setLineDash([]);
    }
    const box = view.visible(20);
    const shown = this.tiles.filter((t) => t.x1 >= box.x0 && t.x0 <= box.x1 && t.y1 >= box.y0 && t.y0 <= box.y1);
    context.lineCap = view.zoom > 13 ? "round" : "butt";
    for (const kind of ORDER) {
      const { layer, width_m, min_px, max_px } = ROADS[kind];
      const width_px = Math.min(max_px, Math.max(min_px, width_m * view.scale));
      const strokes = layer === "freeway" ? [["freeway-edge", width_px + 1.4], ["freeway", width_px]] : [[layer, width_px]];
      for (const [colour, px_wide] of strokes) {
        context.strokeStyle = colours[colour];
        context.lineWidth = px_wide * px;
        for (const tile of shown) {
          const path = tile.paths[kind];
          if (path) context.stroke(path);
        }
      }
    }
  }

  drawLabels(canvas, view, { colours, font }, ratio) {
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const taken = [];
    for (const { kind, name, x, y, room_m } of this.labels) {
      const isWater = kind === "water";
      if (!isWater && view.zoom < LABEL_MIN_ZOOM) continue;
      const px = (x - view.cx) * view.scale + view.width / 2;
      const py = (y - view.cy) * view.scale + view.height / 2;
      if (px < -80 || py < -20 || px > view.width + 80 || py > view.height + 20) continue;
      const size = isWater ? 12 : 11;
      context.font = `${isWater ? "italic 500" : "600"} ${size}px ${font}`;
      context.letterSpacing = isWater ? "0.6px" : "0.4px";
      const rows = isWater ? [name] : wrap(name);
      const wide = Math.max(...rows.map((row) => context.measureText(row).width));
      const high = rows.length * (size + 2);
      if (!isWater && wide > Math.max(64, room_m * view.scale * 1.7)) continue;
      const box = { x0: px - wide / 2, x1: px + wide / 2, y0: py - high / 2, y1: py + high / 2 };
      if (taken.some((other) => overlaps(box, other))) continue;
      taken.push(box);
      context.strokeStyle = isWater ? colours.water : colours.halo;
      context.lineWidth = 3;
      context.fillStyle = isWater ? colours["water-label"] : colours.label;
      rows.forEach((row, i) => {
        const at = py + (i - (rows.length - 1) / 2) * (size + 2);
        context.strokeText(row, px, at);
        context.fillText(row, px, at);
      });
    }
    this.#drawStreetNames(context, view, { colours, font }, ratio, taken);
  }

  // Names along straight pieces of street, the great streets first, none over another.
  #drawStreetNames(context, view, { colours, font }, ratio, taken) {
    if (view.zoom < STREET_MIN_ZOOM[0]) return;
    context.font = `500 ${STREET_FONT_PX}px ${font}`;
    context.letterSpacing = "0.2px";
    context.strokeStyle = colours.halo;
    context.fillStyle = colours["street-label"];
    context.lineWidth = 3;
    const seen = new Map();
    for (const { name, x, y, turn, room_m: room, rank } of this.names) {
      if (view.zoom < STREET_MIN_ZOOM[rank]) continue;
      const px = (x - view.cx) * view.scale + view.width / 2;
      const py = (y - view.cy) * view.scale + view.height / 2;
      if (px < 0 || py < 0 || px > view.width || py > view.height) continue;
      const wide = context.measureText(name).width;
      if (wide > room * view.scale) continue;
      const same = seen.get(name) ?? [];
      if (same.some(([ox, oy]) => Math.hypot(ox - px, oy - py) < STREET_GAP_PX)) continue;
      const dx = (Math.abs(Math.cos(turn)) * wide + Math.abs(Math.sin(turn)) * STREET_FONT_PX) / 2;
      const dy = (Math.abs(Math.sin(turn)) * wide + Math.abs(Math.cos(turn)) * STREET_FONT_PX) / 2;
      const box = { x0: px - dx, x1: px + dx, y0: py - dy, y1: py + dy };
      if (taken.some((other) => overlaps(box, other))) continue;
      taken.push(box);
      seen.set(name, [...same, [px, py]]);
      context.setTransform(ratio, 0, 0, ratio, px * ratio, py * ratio);
      context.rotate(turn);
      context.strokeText(name, 0, 0);
      context.fillText(name, 0, 0);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }
}

function namesOf({ sections, street_names: names, origin, line_quantum: quantum }, projection) {
  return Array.from(sections.name_index, (index, i) => ({
    name: names[index],
    x: projection.x(origin[0] + sections.name_x[i] * quantum),
    y: projection.y(origin[1] + sections.name_y[i] * quantum),
    turn: (sections.name_turn[i] * Math.PI) / 180,
    room_m: sections.name_room[i],
    rank: sections.name_rank[i],
  }));
}

function overlaps(a, b) {
  return (
    a.x0 - LABEL_GAP_PX < b.x1 && a.x1 + LABEL_GAP_PX > b.x0 && a.y0 - LABEL_GAP_PX < b.y1 && a.y1 + LABEL_GAP_PX > b.y0
  );
}

// Long names go on two rows, split at the space nearest to the middle.
function wrap(name) {
  if (name.length < 13 || !name.includes(" ")) return [name];
  const spaces = [...name.matchAll(/ /g)].map((match) => match.index);
  const middle = spaces.reduce((a, b) => (Math.abs(b - name.length / 2) < Math.abs(a - name.length / 2) ? b : a));
  return [name.slice(0, middle), name.slice(middle + 1)];
}

function ringsPath({ offsets, x, y }) {
  const path = new Path2D();
  for (let i = 0; i + 1 < offsets.length; i += 1) {
    for (let k = offsets[i]; k < offsets[i + 1]; k += 1) {
      if (k === offsets[i]) path.moveTo(x[k], y[k]);
      else path.lineTo(x[k], y[k]);
    }
    path.closePath();
  }
  return path;
}

function tilesOf({ offsets, x, y }, { classes, sections }) {
  const kinds = classes.map(roadStyle);
  const tiles = new Map();
  for (let i = 0; i + 1 < offsets.length; i += 1) {
    const first = offsets[i];
    const end = offsets[i + 1];
    if (end - first < 2) continue;
    const key = `${Math.floor(x[first] / TILE_M)},${Math.floor(y[first] / TILE_M)}`;
    let tile = tiles.get(key);
    if (!tile) {
      tile = { x0: Infinity, y0: Infinity, x1: -Infinity, y1: -Infinity, paths: {} };
      tiles.set(key, tile);
    }
    const path = (tile.paths[kinds[sections.edge_class[i]]] ??= new Path2D());
    for (let k = first; k < end; k += 1) {
      if (k === first) path.moveTo(x[k], y[k]);
      else path.lineTo(x[k], y[k]);
      tile.x0 = Math.min(tile.x0, x[k]);
      tile.y0 = Math.min(tile.y0, y[k]);
      tile.x1 = Math.max(tile.x1, x[k]);
      tile.y1 = Math.max(tile.y1, y[k]);
    }
  }
  return [...tiles.values()];
}
