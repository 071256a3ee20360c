// Trucks' routes: a line with a rim, and numbered stops that can be pointed at.

const LINE_PX = 3.5;
const RIM_PX = 6.5;
const STOP_PX = 9;
const ARROW_GAP_PX = 90;
const ARROW_PX = 5;

export class RoutePainter {
  constructor(routes, projection) {
    this.routes = routes.map(({ lon, lat, colour, stops }) => ({
      lon,
      lat,
      x: lon.map((value) => projection.x(value)),
      y: lat.map((value) => projection.y(value)),
      colour,
      stops: stops.map((stop) => ({ ...stop, x: projection.x(stop.lon), y: projection.y(stop.lat) })),
    }));
  }

  draw(canvas, view, { colours, font }, ratio) {
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.lineJoin = "round";
    context.lineCap = "round";
    for (const route of this.routes) {
      const [px, py] = [route.x.map((x) => onScreenX(x, view)), route.y.map((y) => onScreenY(y, view))];
      const line = new Path2D();
      px.forEach((x, i) => (i ? line.lineTo(x, py[i]) : line.moveTo(x, py[i])));
      for (const [colour, wide] of [[colours.halo, RIM_PX], [route.colour, LINE_PX]]) {
        context.strokeStyle = colour;
        context.lineWidth = wide;
        context.stroke(line);
      }
      drawArrows(context, px, py, route.colour, colours.halo);
    }
    context.font = `700 10.5px ${font}`;
    context.letterSpacing = "0px";
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { stops, colour } of this.routes) {
      for (const stop of stops.toReversed()) this.#drawStop(context, stop, colour, view, colours);
    }
  }

  #drawStop(context, { x, y, mark }, colour, view, { halo }) {
    const [px, py] = [onScreenX(x, view), onScreenY(y, view)];
    context.beginPath();
    context.arc(px, py, STOP_PX, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = halo;
    context.stroke();
    context.fillStyle = isLight(colour) ? "#101418" : "#ffffff";
    context.fillText(mark, px, py + 0.5);
  }

  // West, south, east, north of all routes; null where there is no line.
  get bounds() {
    const lon = this.routes.flatMap((route) => route.lon);
    const lat = this.routes.flatMap((route) => route.lat);
    const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
    const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
    return lon.length ? [least(lon), least(lat), most(lon), most(lat)] : null;
  }

  *marks(view) {
    for (const { stops } of this.routes) for (const { x, y } of stops) yield [onScreenX(x, view), onScreenY(y, view), 1];
  }

  // The stop under a pixel of the map, the first of a route lying highest; null if there is none.
  at(view, px, py) {
    for (const { stops } of this.routes.toReversed()) {
      for (const stop of stops) {
        if (Math.hypot(onScreenX(stop.x, view) - px, onScreenY(stop.y, view) - py) <= STOP_PX) return stop;
      }
    }
    return null;
  }
}

const onScreenX = (x, view) => (x - view.cx) * view.scale + view.width / 2;
const onScreenY = (y, view) => (y - view.cy) * view.scale + view.height / 2;

// Small arrow heads along the line tell its direction.
function drawArrows(context, px, py, colour, rim) {
  let gone = ARROW_GAP_PX / 2;
  for (let i = 1; i < px.length; i += 1) {
    const [dx, dy] = [px[i] - px[i - 1], py[i] - py[i - 1]];
    const length = Math.hypot(dx, dy);
    for (; gone < length; gone += ARROW_GAP_PX) {
      const [ux, uy] = [dx / length, dy / length];
      const [x, y] = [px[i - 1] + ux * gone, py[i - 1] + uy * gone];
      context.beginPath();
      context.moveTo(x + ux * ARROW_PX, y + uy * ARROW_PX);
      context.lineTo(x - ux * ARROW_PX - uy * ARROW_PX, y - uy * ARROW_PX + ux * ARROW_PX);
      context.lineTo(x - ux * ARROW_PX + uy * ARROW_PX, y - uy * ARROW_PX - ux * ARROW_PX);
      context.closePath();
      context.lineWidth = 2.5;
      context.strokeStyle = rim;
      context.stroke();
      context.fillStyle = colour;
      context.fill();
    }
    gone -= length;
  }
}

function isLight(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 150;
}
