// A picture in Web Mercator over a box. Halved copies are drawn when zoomed out: cheaper, and no cell is skipped.

const LEAST_PX = 256;
const SHARP_FROM = 1.5; // screen pixels a picture's pixel, from where its cells are shown as they are

export class ImagePainter {
  constructor(picture, { box: [west, south, east, north], opacity }, projection) {
    this.x = projection.x(west);
    this.y = projection.y(north);
    this.wide = projection.x(east) - this.x;
    this.high = projection.y(south) - this.y;
    this.opacity = opacity;
    this.levels = halved(picture);
  }

  draw(context, view, ratio) {
    const box = view.visible(2);
    const onScreen = this.wide * view.scale * ratio;
    const level = this.levels.findLast(({ width }) => width >= onScreen) ?? this.levels[0];
    const perX = level.width / this.wide;
    const perY = level.height / this.high;
    // Only what is seen, in whole pixels of the picture.
    const x0 = Math.max(0, Math.floor((box.x0 - this.x) * perX));
    const y0 = Math.max(0, Math.floor((box.y0 - this.y) * perY));
    const x1 = Math.min(level.width, Math.ceil((box.x1 - this.x) * perX));
    const y1 = Math.min(level.height, Math.ceil((box.y1 - this.y) * perY));
    if (x1 <= x0 || y1 <= y0) return;
    view.apply(context, ratio);
    context.globalAlpha = this.opacity;
    context.imageSmoothingEnabled = onScreen / level.width < SHARP_FROM;
    context.imageSmoothingQuality = "low";
    context.drawImage(
      level, x0, y0, x1 - x0, y1 - y0,
      this.x + x0 / perX, this.y + y0 / perY, (x1 - x0) / perX, (y1 - y0) / perY,
    );
    context.globalAlpha = 1;
  }
}

function halved(picture) {
  const levels = [picture];
  for (let last = picture; Math.min(last.width, last.height) / 2 >= LEAST_PX; last = levels.at(-1)) {
    const next = document.createElement("canvas");
    next.width = Math.ceil(last.width / 2);
    next.height = Math.ceil(last.height / 2);
    const context = next.getContext("2d");
    context.imageSmoothingQuality = "medium";
    context.drawImage(last, 0, 0, next.width, next.height);
    levels.push(next);
  }
  return levels;
}
