// The picture, the points and the routes: fetched by address, shown once they are whole, found by the pointer.

import { ImagePainter } from "./image_painter.js";
import { asBytes, asPicture, MadeFiles } from "./made_files.js";
import { Places, PointsPainter } from "./points_painter.js";
import { RoutePainter } from "./route_painter.js";

const files = new MadeFiles();

export class MadeLayers {
  constructor(projection, { onChange, onRoutes, onFault }) {
    this.projection = projection;
    this.onChange = onChange;
    this.onRoutes = onRoutes;
    this.onFault = onFault;
    this.image = null;
    this.points = null;
    this.routes = null;
    this.wanted = { image: "null", points: "null", routes: "[]" };
    this.open = 0;
  }

  // All that the page has asked for is drawn.
  get idle() {
    return this.open === 0;
  }

  update({ image, points, routes }) {
    this.#set("image", image, async () =>
      new ImagePainter(await files.get(image.url, asPicture), image, this.projection));
    this.#set("points", points, () => this.#makePoints(points));
    const text = JSON.stringify(routes);
    if (text === this.wanted.routes) return;
    this.wanted.routes = text;
    this.routes = routes.length ? new RoutePainter(routes, this.projection) : null;
    this.onChange();
    const bounds = this.routes?.bounds;
    if (bounds) this.onRoutes(bounds);
  }

  // What was shown stays until what follows is whole.
  async #set(name, spec, make) {
    const text = JSON.stringify(spec);
    if (text === this.wanted[name]) return;
    this.wanted[name] = text;
    if (!spec) {
      this[name] = null;
      this.onChange();
      return;
    }
    this.open += 1;
    try {
      const painter = await make();
      if (this.wanted[name] === text) this[name] = painter;
    } catch (fault) {
      if (this.wanted[name] !== text) return;
      this.wanted[name] = "";
      this.onFault(fault.message);
    } finally {
      this.open -= 1;
      this.onChange();
    }
  }

  async #makePoints(spec) {
    const [bytes, kinds] = await Promise.all([files.get(spec.places, asBytes), files.get(spec.kinds, asBytes)]);
    if (this.placesUrl !== spec.places) {
      this.places = new Places(bytes, spec, this.projection);
      this.placesUrl = spec.places;
    }
    return new PointsPainter(this.places, kinds, spec);
  }

  drawPoints(canvas, view, theme, ratio) {
    clear(canvas);
    this.points?.draw(canvas, view, theme, ratio);
  }

  drawRoutes(canvas, view, theme, ratio) {
    clear(canvas);
    this.routes?.draw(canvas, view, theme, ratio);
  }

  // What lies under a pixel of the map: `id` (empty: not to be picked) and `label`; null where nothing does.
  at(view, px, py) {
    const stop = this.routes?.at(view, px, py);
    if (stop) return stop;
    const point = this.points?.at(view, px, py) ?? -1;
    return point < 0 ? null : { id: String(point), label: this.points.label(point) };
  }

  // Where points that are always drawn and stops lie, with a weight each: [x, y, weight] in pixels.
  *marks(view) {
    if (this.points) yield* this.points.marks(view);
    if (this.routes) yield* this.routes.marks(view);
  }

  // How many of the thinned points are drawn, 0 to 1.
  get share() {
    return this.points?.share ?? 1;
  }
}

function clear(canvas) {
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
}
