// What stands on the map besides the map: buttons, legend, scale, caption, tooltip, messages.

import { MAX_ZOOM } from "./projection.js";

const SCALE_MAX_PX = 110;
const MILE_M = 1609.344;
const FOOT_M = 0.3048;
const POST_WORDS = [
  ["staffed", "Post with a unit"],
  ["off", "Switched off"],
  ["candidate", "Possible post"],
];

const make = (tag, className, attributes = {}) => {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

export class Furniture {
  constructor(host, { zoomBy, fit, adding }) {
    this.host = host;
    const button = (className, text, title, action) => {
      const element = make("button", className, { type: "button", title, "aria-label": title });
      element.textContent = text;
      element.addEventListener("click", action);
      return element;
    };
    this.tools = make("div", "tools");
    this.tools.append(
      button("tool", "+", "Zoom in", () => zoomBy(1)),
      button("tool", "\u2212", "Zoom out", () => zoomBy(-1)),
      button("tool fit", "", "Whole city", () => fit()),
    );
    this.addButton = button("tool add", "Add post", "Add a post by clicking the map", () => adding(this.addButton.ariaPressed !== "true"));
    this.addButton.ariaPressed = "false";
    this.note = make("div", "note");
    this.legend = make("details", "legend", { open: "" });
    this.scale = make("div", "scale", { "aria-hidden": "true" });
    this.scaleKm = make("div", "bar km");
    this.scaleMi = make("div", "bar mi");
    this.scale.append(this.scaleMi, this.scaleKm);
    this.north = make("div", "north", { title: "North is up" });
    this.north.textContent = "N";
    this.tip = make("div", "tip", { role: "tooltip" });
    this.tip.hidden = true;
    this.status = make("div", "status", { role: "status", "aria-live": "polite" });
    this.busy = make("div", "busy");
    this.busy.textContent = "Updating\u2026";
    this.crosshair = make("div", "crosshair", { "aria-hidden": "true" });
    this.error = make("div", "fault", { role: "alert" });
    this.error.hidden = true;
    const help = make("div", "unseen", { id: "post-help" });
    help.textContent =
      "Arrow keys move the post, with Shift finely; Enter confirms; Space switches it on or off; Delete removes an added post.";
    host.prepend(this.tools, this.addButton);
    host.append(
      this.note, this.legend, this.scale, this.north,
      this.tip, this.busy, this.crosshair, this.error, this.status, help,
    );
  }

  // Whether the legend has changed.
  update(data, theme, synthetic) {
    this.note.textContent = data.note;
    this.note.classList.toggle("loud", synthetic);
    this.note.hidden = !data.note;
    this.addButton.hidden = !data.editable;
    this.busy.hidden = !data.stale;
    const text = JSON.stringify([
      data.areas.map(({ legend, fill, line, opacity }) => [legend, fill, line, opacity]),
      data.image?.legend, data.image?.stops, data.points?.classes, data.points?.shown,
      data.routes.map(({ legend, colour }) => [legend, colour]),
      data.legend, data.heat?.colours, data.heat?.legend, data.heat?.labels, data.posts.map(({ state, changed, mark }) => [state, changed, Boolean(mark)]), theme.name,
    ]);
    if (text === this.legendText) return false;
    this.legendText = text;
    this.#fillLegend(data);
    return true;
  }

  #fillLegend({ areas, posts, heat, legend, image, points, routes }) {
    const rows = [];
    // What lies on top is named first.
    for (const { legend: label, colour } of routes) if (label) rows.push(this.#row(label, "line", { "--c": colour }));
    if (points) rows.push(...this.#pointRows(points));
    for (const { legend: label, fill, line, opacity } of areas.toReversed()) {
      if (label) rows.push(this.#row(label, "fill", { "--c": fill, "--o": Math.min(1, opacity + 0.25), "--l": line || fill }));
    }
    for (const [state, label] of POST_WORDS) {
      const some = posts.filter((post) => post.state === state);
      if (some.length) rows.push(this.#row(label, `post-swatch ${state}${some.some(({ mark }) => mark) ? " marked" : ""}`));
    }
    if (posts.some((post) => post.changed)) rows.push(this.#row("Changed in this plan", "ring"));
    for (const { label, colour, kind } of legend) rows.push(this.#row(label, kind, { "--c": colour, "--l": colour, "--o": 1 }));
    if (heat) rows.push(this.#heatRow(heat));
    if (image) rows.push(...this.#imageRows(image));
    const summary = make("summary", "");
    summary.textContent = "Legend";
    this.legend.replaceChildren(summary, ...rows);
    this.legend.hidden = !rows.length;
  }

  // Move the legend up the right edge to where it hides the least of the marks, [x, y, weight] in pixels each; low
  // is best where all are equal.
  clearLegend(marks, view) {
    const { offsetWidth: wide, offsetHeight: high } = this.legend;
    const left = view.width - wide - 10;
    let best = { cost: Infinity, bottom: 10 };
    for (let bottom = 10; bottom + high < view.height - 60; bottom += 20) {
      const y1 = view.height - bottom;
      let cost = bottom / 1000;
      for (const [x, y, weight] of marks) {
        const under = x > left - 14 && x < view.width && y > y1 - high - 14 && y < y1 + 14;
        if (under) cost += weight;
      }
      if (cost < best.cost) best = { cost, bottom };
    }
    this.legend.style.bottom = `${best.bottom}px`;
    this.legendCleared = true;
  }

  // Away from the view it was cleared for, the legend lies in the corner.
  settleLegend() {
    this.legend.style.bottom = "10px";
    this.legendCleared = false;
  }

  #row(label, kind, style = {}) {
    const row = make("div", "row");
    const swatch = make("span", `swatch ${kind}`, { "aria-hidden": "true" });
    for (const [name, value] of Object.entries(style)) swatch.style.setProperty(name, value);
    const text = make("span", "");
    text.textContent = label;
    row.append(swatch, text);
    return row;
  }

  #pointRows({ classes, shown }) {
    const rows = classes
      .filter(({ legend }, kind) => legend && shown[kind])
      .map(({ legend, colour }) => this.#row(legend, "dot", { "--c": colour }))
      .toReversed();
    this.shareRow = make("div", "share");
    this.someWhole = classes.some(({ thinned }, kind) => !thinned && shown[kind]);
    this.shareText = null;
    return [...rows, this.shareRow];
  }

  // Tell when only a share of the points is drawn.
  showShare(share) {
    if (!this.shareRow) return;
    const part = `about 1 in ${Math.max(2, Math.round(1 / share))}`;
    const text = share < 0.995 ? `Zoomed out: ${part}${this.someWhole ? " of the others" : ""} drawn` : "";
    if (text === this.shareText) return;
    this.shareText = text;
    this.shareRow.textContent = text;
    this.shareRow.hidden = !text;
  }

  #imageRows({ legend, stops, opacity }) {
    const title = make("div", "title");
    title.textContent = legend;
    return [...(legend ? [title] : []), ...stops.map(({ label, colour }) => this.#row(label, "fill", { "--c": colour, "--l": colour, "--o": opacity }))];
  }

  #heatRow({ colours, labels, legend }) {
    const row = make("div", "heat-row");
    if (legend) {
      const title = make("div", "");
      title.textContent = legend;
      row.append(title);
    }
    const bar = make("div", "heat-bar");
    bar.style.background = `linear-gradient(to right, transparent, ${colours.join(", ")})`;
    const ends = make("div", "heat-ends");
    for (const label of labels) {
      const end = make("span", "");
      end.textContent = label;
      ends.append(end);
    }
    row.append(bar, ends);
    return row;
  }

  showAdding(on) {
    this.addButton.ariaPressed = on ? "true" : "false";
    this.addButton.textContent = on ? "Click the map\u2026" : "Add post";
  }

  // Round lengths at the middle of the map, which is what a person measures with.
  placeScale(view) {
    const perPx = 1 / view.scale / (Math.cos((view.projection.lat0 * Math.PI) / 180) / Math.cos((view.deckState.latitude * Math.PI) / 180));
    const most = SCALE_MAX_PX * perPx;
    const km = niceLength(most);
    this.scaleKm.style.width = `${km / perPx}px`;
    this.scaleKm.textContent = km >= 1000 ? `${km / 1000} km` : `${km} m`;
    const miles = niceLength(most / MILE_M);
    const feet = niceLength(most / FOOT_M);
    const inMiles = most >= MILE_M / 4;
    this.scaleMi.style.width = `${(inMiles ? miles * MILE_M : feet * FOOT_M) / perPx}px`;
    this.scaleMi.textContent = inMiles ? `${miles} mi` : `${feet} ft`;
    this.tools.children[0].disabled = view.zoom >= MAX_ZOOM - 1e-6;
    this.tools.children[1].disabled = view.zoom <= view.minZoom + 1e-6;
  }

  tooltip(text, x, y) {
    this.tip.hidden = !text;
    if (!text) return;
    this.tip.textContent = text;
    const right = x > this.host.clientWidth * 0.6;
    const low = y > this.host.clientHeight * 0.75;
    this.tip.style.transform = `translate(${x}px, ${y}px) translate(${right ? "calc(-100% - 10px)" : "14px"}, ${low ? "calc(-100% - 6px)" : "10px"})`;
  }

  say(text) {
    this.status.textContent = text;
  }

  fault(text) {
    this.error.textContent = text;
    this.error.hidden = !text;
  }
}

// The largest of 1, 2, 5 times a power of ten that is not above the most.
function niceLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [5, 2, 1].find((value) => value * power <= most);
  return Number((step * power).toPrecision(2));
}
