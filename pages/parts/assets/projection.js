// Web Mercator around a local origin, and the view (centre, zoom, size) of one map.
//
// Local coordinates are metres at the origin's latitude, x to the east and y down, so that Path2D's single
// precision holds centimetres over a whole city. One pixel at zoom z is the same pixel as in deck.gl's MapView.

const EARTH_RADIUS_M = 6378137;
const DEGREE = Math.PI / 180;
const TILE_PX = 512;

const mercator = (lat) => Math.log(Math.tan(Math.PI / 4 + (lat * DEGREE) / 2));

export class Projection {
  constructor(lon0, lat0) {
    this.lon0 = lon0;
    this.lat0 = lat0;
    this.metres = EARTH_RADIUS_M * Math.cos(lat0 * DEGREE);
    this.y0 = mercator(lat0);
  }

  x(lon) {
    return (lon - this.lon0) * DEGREE * this.metres;
  }

  y(lat) {
    return (this.y0 - mercator(lat)) * this.metres;
  }

  lon(x) {
    return this.lon0 + x / this.metres / DEGREE;
  }

  lat(y) {
    return (2 * Math.atan(Math.exp(this.y0 - y / this.metres)) - Math.PI / 2) / DEGREE;
  }

  // Pixels per local metre at a zoom.
  scale(zoom) {
    return (TILE_PX * 2 ** zoom) / (2 * Math.PI * this.metres);
  }

  zoomOfScale(scale) {
    return Math.log2((scale * 2 * Math.PI * this.metres) / TILE_PX);
  }
}

// Great-circle distance in metres.
export function distanceM(lon1, lat1, lon2, lat2) {
  const a =
    Math.sin(((lat2 - lat1) * DEGREE) / 2) ** 2 +
    Math.cos(lat1 * DEGREE) * Math.cos(lat2 * DEGREE) * Math.sin(((lon2 - lon1) * DEGREE) / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(a));
}

const POINTS_OF_COMPASS = [
  "north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west",
];

export function directionWord(lon1, lat1, lon2, lat2) {
  const east = (lon2 - lon1) * Math.cos(lat1 * DEGREE);
  const turn = Math.atan2(east, lat2 - lat1) / (Math.PI / 4);
  return POINTS_OF_COMPASS[(Math.round(turn) + 8) % 8];
}

export const MAX_ZOOM = 18;
const FIT_MARGIN_PX = 28;

export class View {
  constructor(projection, bounds) {
    this.projection = projection;
    this.limits = this.#box(bounds);
    this.width = 1;
    this.height = 1;
    this.cx = 0;
    this.cy = 0;
    this.zoom = 10;
    this.fitted = false;
  }

  #box([west, south, east, north]) {
    const p = this.projection;
    return { x0: p.x(west), y0: p.y(north), x1: p.x(east), y1: p.y(south) };
  }

  get scale() {
    return this.projection.scale(this.zoom);
  }

  get minZoom() {
    const { x0, y0, x1, y1 } = this.limits;
    const scale = Math.min(this.width / (x1 - x0), this.height / (y1 - y0));
    return Math.min(MAX_ZOOM - 1, this.projection.zoomOfScale(scale) - 0.6);
  }

  // The view that shows a box of degrees with a margin.
  fittedTo(bounds) {
    const { x0, y0, x1, y1 } = this.#box(bounds);
    const scale = Math.min(
      Math.max(40, this.width - 2 * FIT_MARGIN_PX) / Math.max(1, x1 - x0),
      Math.max(40, this.height - 2 * FIT_MARGIN_PX) / Math.max(1, y1 - y0),
    );
    return {
      cx: (x0 + x1) / 2,
      cy: (y0 + y1) / 2,
      zoom: Math.min(MAX_ZOOM - 2, this.projection.zoomOfScale(scale)),
    };
  }

  set({ cx = this.cx, cy = this.cy, zoom = this.zoom }) {
    const { x0, y0, x1, y1 } = this.limits;
    this.zoom = Math.min(MAX_ZOOM, Math.max(this.minZoom, zoom));
    this.cx = Math.min(x1, Math.max(x0, cx));
    this.cy = Math.min(y1, Math.max(y0, cy));
  }

  resize(width, height) {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
  }

  // deck.gl's view state, both ways.
  get deckState() {
    const p = this.projection;
    return { longitude: p.lon(this.cx), latitude: p.lat(this.cy), zoom: this.zoom, pitch: 0, bearing: 0 };
  }

  setDeckState({ longitude, latitude, zoom }) {
    this.set({ cx: this.projection.x(longitude), cy: this.projection.y(latitude), zoom });
  }

  toScreen(lon, lat) {
    const s = this.scale;
    return [
      (this.projection.x(lon) - this.cx) * s + this.width / 2,
      (this.projection.y(lat) - this.cy) * s + this.height / 2,
    ];
  }

  toLonLat(px, py) {
    const s = this.scale;
    return [
      this.projection.lon((px - this.width / 2) / s + this.cx),
      this.projection.lat((py - this.height / 2) / s + this.cy),
    ];
  }

  // The visible box in local metres, with a margin in pixels.
  visible(margin_px = 0) {
    const s = this.scale;
    const dx = (this.width / 2 + margin_px) / s;
    const dy = (this.height / 2 + margin_px) / s;
    return { x0: this.cx - dx, y0: this.cy - dy, x1: this.cx + dx, y1: this.cy + dy };
  }

  // Put local metres under the context's transform.
  apply(context, ratio = 1) {
    const s = this.scale * ratio;
    context.setTransform(
      s, 0, 0, s,
      (this.width / 2) * ratio - this.cx * s,
      (this.height / 2) * ratio - this.cy * s,
    );
  }
}
