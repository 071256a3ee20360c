// The map component: one instance a map id, kept for as long as the page lives, whatever Streamlit mounts and unmounts.

import { DeckLayer } from "./deck_layer.js";
import { FieldPainter } from "./field_painter.js";
import { decodeGround } from "./ground_file.js";
import { GroundPainter } from "./ground_painter.js";
import { Furniture } from "./furniture.js";
import { LiveField } from "./live_field.js";
import { MadeLayers } from "./made_layers.js";
import { Outbox } from "./outbox.js";
import { Posts } from "./posts.js";
import { Projection, View } from "./projection.js";
import { readTheme } from "./theme.js";

const ZOOM_STEP = 0.75;
const ANIMATION_MS = 180;
const PAN_PX = 60;

// Map id -> instance. WebGL contexts are few (about 16 a page), so a map that leaves the page keeps its own and takes
// it along when it comes back. Browser tests look in through the window: `seconds()`, `fieldNow()` and `place()`.
const instances = new Map();
window.__crescentMaps = instances;

const assetUrl = (name) => new URL(name, import.meta.url);
let styleText = null;
const loadStyle = () =>
  (styleText ??= fetch(assetUrl("city_map.css")).then((answer) => {
    if (!answer.ok) throw new Error("The map's styles could not be loaded; reload the page");
    return answer.text();
  }));

const grounds = new Map();
function loadGround(url) {
  if (!grounds.has(url)) {
    const loading = fetch(new URL(url, document.baseURI)).then(async (answer) => {
      if (!answer.ok) throw new Error("The ground of this map could not be loaded; reload the page");
      return decodeGround(await answer.arrayBuffer());
    });
    loading.catch(() => grounds.delete(url));
    grounds.set(url, loading);
  }
  return grounds.get(url);
}

export function mount(component) {
  const { data } = component;
  let map = instances.get(data.id);
  if (!map) {
    map = new CityMap(data.id);
    instances.set(data.id, map);
  }
  map.attach(component);
  return () => map.detach(component.parentElement);
}

class CityMap {
  constructor(id) {
    this.id = id;
    this.data = null;
    this.view = null;
    this.host = document.createElement("div");
    this.host.className = "crescent-map";
    this.surface = this.#layer("div", "surface");
    this.groundCanvas = this.#layer("canvas", "ground");
    this.fieldCanvas = this.#layer("canvas", "field");
    this.pointCanvas = this.#layer("canvas", "points");
    this.deckHost = this.#layer("div", "deck");
    this.labelCanvas = this.#layer("canvas", "labels");
    this.routeCanvas = this.#layer("canvas", "routes");
    this.postHost = this.#layer("div", "posts");
    this.surface.tabIndex = 0;
    this.surface.setAttribute("role", "application");

    this.outbox = new Outbox((event) => this.trigger("event", event), () => this.#unanswered());
    this.furniture = new Furniture(this.host, {
      zoomBy: (steps) => this.zoomBy(steps),
      fit: () => this.fit(true),
      adding: (on) => this.setAdding(on),
    });
    this.deck = new DeckLayer(this.deckHost, id, {
      onView: (state) => this.#viewFromDeck(state),
      onHover: (text, x, y) => this.#hoverDeck(text, x, y),
      onPick: (id) => this.send({ type: "pick", id }),
      onFault: (message) => this.furniture.fault(message),
    });
    this.#listen();
    this.#frame = null;
    this.dirty = new Set();
  }

  #frame;
  #animation = null;
  #call = 0;

  #layer(tag, name) {
    const element = document.createElement(tag);
    element.className = `layer ${name}`;
    if (name === "surface") this.host.append(element);
    else this.surface.append(element);
    if (tag === "canvas") element.setAttribute("aria-hidden", "true");
    return element;
  }

  // The last live field: seconds to each node of the ground file, infinite beyond reach; null before the first.
  seconds() {
    return this.live?.seconds ?? null;
  }

  // The same, once no question to the worker is open.
  async fieldNow() {
    return this.live.settled();
  }

  // Where a place is, in pixels from the map's upper left corner.
  place(lon, lat) {
    return this.view.toScreen(lon, lat);
  }

  async attach(component) {
    this.#call += 1;
    const call = this.#call;
    const { parentElement, data } = component;
    this.trigger = component.setTriggerValue;
    const current = () => call === this.#call && parentElement.isConnected;
    try {
      const style = await loadStyle();
      if (!current()) return;
      this.#enter(parentElement, style, data);
      const ground = await loadGround(data.ground);
      if (!current()) return;
      this.furniture.fault("");
      this.#resize();
      if (this.ground !== ground) this.#setGround(ground, data);
      this.#update(data);
      await this.deck.start(new URL(data.deck, document.baseURI), this.view, current);
    } catch (fault) {
      if (current()) this.furniture.fault(fault.message);
    }
  }

  #enter(parent, style, { height, label }) {
    if (!this.style) {
      this.style = document.createElement("style");
      this.style.textContent = style;
      this.host.prepend(this.style);
    }
    for (const other of [...parent.children]) {
      if (other !== this.host && other.classList.contains("crescent-map")) other.remove();
    }
    if (this.host.parentNode !== parent) parent.append(this.host);
    this.host.style.height = `${height}px`;
    this.surface.setAttribute("aria-label", label);
    this.#observe();
  }

  detach(parent) {
    if (this.host.parentNode !== parent) return;
    this.#call += 1;
    this.posts?.cancelDrag();
    this.observer?.disconnect();
    this.observer = null;
    this.host.remove();
  }

  #observe() {
    if (this.observer) return;
    this.observer = new ResizeObserver(() => {
      if (this.#resize()) this.redraw("view");
    });
    this.observer.observe(this.host);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.surface;
    if (!width || !height) return false;
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const changed = this.width !== width || this.height !== height || this.ratio !== ratio;
    if (!changed) return false;
    [this.width, this.height, this.ratio] = [width, height, ratio];
    for (const canvas of [this.groundCanvas, this.fieldCanvas, this.pointCanvas, this.labelCanvas, this.routeCanvas]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    if (this.view) {
      this.view.resize(width, height);
      this.deck.move(this.view);
    }
    return true;
  }

  #setGround(ground, data) {
    this.ground = ground;
    this.projection = new Projection(...ground.origin);
    this.view = new View(this.projection, ground.bounds);
    this.view.resize(this.width ?? 1, this.height ?? 1);
    this.groundPainter = new GroundPainter(ground, this.projection);
    this.fieldPainter = new FieldPainter(this.projection, this.groundPainter.lines, ground);
    this.made = new MadeLayers(this.projection, {
      onChange: () => {
        this.redraw("view");
        if (this.furniture.legendCleared) this.#clearLegend(this.#target ? this.#viewAt(this.#target) : this.view);
      },
      onRoutes: (bounds) => this.#showAll(bounds),
      onFault: (message) => this.furniture.fault(message),
    });
    this.live?.close();
    this.live = new LiveField(assetUrl("field_worker.js"), ground, () => this.redraw("field"));
    this.posts ??= new Posts(this.postHost, this);
    this.data = data;
    this.fit(false);
  }

  #update(data) {
    this.data = data;
    this.outbox.acknowledge(data.acknowledged);
    this.theme = readTheme(this.host);
    this.host.dataset.theme = this.theme.name;
    this.host.classList.toggle("stale", data.stale);
    this.host.classList.toggle("editable", data.editable);
    this.fieldPainter.setAreas(data.areas);
    this.fieldPainter.setHeat(data.heat);
    this.made.update(data);
    this.live.configure(data.live);
    if (this.live.shown && !this.posts.dragging && this.outbox.idle && !data.stale) {
      this.live.hide();
      this.furniture.say("The figures are up to date.");
    }
    this.posts.update(data.posts, this.outbox.waitingIds);
    if (this.furniture.update(data, this.theme, this.ground.synthetic) && !this.legendPlaced) {
      this.#clearLegend(this.view);
      this.legendPlaced = true;
    }
    if (!data.editable && this.adding) this.setAdding(false);
    this.deck.show({ hexes: data.hexes, dots: data.dots });
    this.redraw("view");
  }

  // ---- the view

  focusBounds() {
    const [west, south, east, north] = this.ground.focus;
    // Far candidates outside the plan would make the plan itself small.
    const planned = this.data.posts.filter((post) => post.state !== "candidate");
    return (planned.length ? planned : this.data.posts).reduce(
      ([w, s, e, n], { lon, lat }) => [Math.min(w, lon), Math.min(s, lat), Math.max(e, lon), Math.max(n, lat)],
      [west, south, east, north],
    );
  }

  fit(animated) {
    const target = this.view.fittedTo(this.focusBounds());
    this.#go(target, animated);
    const there = this.#viewAt(target);
    this.#clearLegend(there);
  }

  // Go to a box of degrees unless all of it is in view.
  #showAll([west, south, east, north]) {
    const [left, bottom] = this.view.toScreen(west, south);
    const [right, top] = this.view.toScreen(east, north);
    if (left >= 0 && top >= 0 && right <= this.view.width && bottom <= this.view.height) return;
    const target = this.view.fittedTo([west, south, east, north]);
    this.#go(target, true);
    this.#clearLegend(this.#viewAt(target));
  }

  #clearLegend(view) {
    const posts = this.data.posts.map(({ lon, lat, state }) => [...view.toScreen(lon, lat), state === "candidate" ? 1 : 5]);
    this.furniture.clearLegend([...posts, ...this.made.marks(view)], view);
  }

  #viewAt(target) {
    const there = new View(this.projection, this.ground.bounds);
    there.resize(this.view.width, this.view.height);
    there.set(target);
    return there;
  }

  zoomBy(steps) {
    this.furniture.settleLegend();
    const from = this.#target ?? this.view;
    this.#go({ cx: from.cx, cy: from.cy, zoom: from.zoom + steps * ZOOM_STEP }, true);
  }

  panBy(dx, dy) {
    this.furniture.settleLegend();
    const from = this.#target ?? this.view;
    const scale = this.view.scale;
    this.#go({ cx: from.cx + dx / scale, cy: from.cy + dy / scale, zoom: from.zoom }, true);
  }

  #target = null;

  #go(target, animated) {
    cancelAnimationFrame(this.#animation);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!animated || still) {
      this.#target = null;
      this.#setView(target);
      return;
    }
    this.#target = target;
    const start = performance.now();
    const { cx, cy, zoom } = this.view;
    const step = (now) => {
      const t = Math.min(1, Math.max(0, (now - start) / ANIMATION_MS));
      const ease = 1 - (1 - t) ** 3;
      this.#setView({
        cx: cx + (target.cx - cx) * ease,
        cy: cy + (target.cy - cy) * ease,
        zoom: zoom + (target.zoom - zoom) * ease,
      });
      if (t < 1) this.#animation = requestAnimationFrame(step);
      else this.#target = null;
    };
    this.#animation = requestAnimationFrame(step);
  }

  #setView(target) {
    this.view.set(target);
    this.deck.move(this.view);
    this.redraw("view");
  }

  #viewFromDeck(state) {
    cancelAnimationFrame(this.#animation);
    const { longitude, latitude, zoom } = this.view.deckState;
    const still =
      Math.abs(zoom - state.zoom) < 1e-6 &&
      Math.abs(longitude - state.longitude) + Math.abs(latitude - state.latitude) < 1e-7;
    if (still) return;
    this.furniture.settleLegend();
    this.furniture.tooltip(null);
    this.#target = null;
    this.view.setDeckState(state);
    this.deck.move(this.view);
    this.redraw("view");
  }

  // ---- drawing, at most once a frame

  redraw(what) {
    this.dirty.add(what);
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#draw();
    });
  }

  #draw() {
    if (!this.view || !this.theme) return;
    const moved = this.dirty.has("view");
    if (moved) {
      this.groundPainter.draw(this.groundCanvas, this.view, this.theme, this.ratio);
      this.groundPainter.drawLabels(this.labelCanvas, this.view, this.theme, this.ratio);
      this.posts.place(this.view);
      this.furniture.placeScale(this.view);
      this.made.drawPoints(this.pointCanvas, this.view, this.theme, this.ratio);
      this.made.drawRoutes(this.routeCanvas, this.view, this.theme, this.ratio);
      this.furniture.showShare(this.made.share);
    }
    if (moved || this.dirty.has("field")) {
      this.fieldPainter.draw(this.fieldCanvas, this.view, this.ratio, this.live, this.made.image);
    }
    this.dirty.clear();
  }

  // ---- what a person does

  say(text) {
    this.furniture.say(text);
  }

  send(event) {
    this.outbox.send(event);
  }

  #unanswered() {
    this.live.hide();
    this.posts.update(this.data.posts, this.outbox.waitingIds);
    this.say("The page has not answered; the map shows its last figures.");
  }

  // Until the page answers: the streets by driving time from these places.
  followLive(places) {
    this.live.follow(places);
  }

  setAdding(on) {
    this.adding = on;
    this.host.classList.toggle("adding", on);
    this.furniture.showAdding(on);
    if (on) this.say("Click the map to add a post, or move the map with the arrow keys and press Enter.");
  }

  #addAt(px, py) {
    const [lon, lat] = this.view.toLonLat(px, py);
    this.setAdding(false);
    this.say("Post added. The figures follow.");
    this.posts.follow([[lon, lat]]);
    this.send({ type: "add", lon, lat });
  }

  // The tip of deck's hexagons and dots comes before that of the points below them.
  #deckTip = null;

  #hoverDeck(text, x, y) {
    this.#deckTip = text;
    if (text) this.furniture.tooltip(text, x, y);
    else this.#hoverAt(x, y);
  }

  #hoverAt(x, y) {
    if (this.#deckTip || !this.view) return;
    const found = this.made.at(this.view, x, y);
    this.furniture.tooltip(found?.label || null, x, y);
    this.deckHost.classList.toggle("pointing", Boolean(found?.id));
  }

  #pickAt(x, y) {
    if (this.#deckTip || !this.view) return;
    const found = this.made.at(this.view, x, y);
    if (found?.id) this.send({ type: "pick", id: found.id });
  }

  #listen() {
    let down = null;
    const inside = (event) => {
      const box = this.surface.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    this.deckHost.addEventListener("pointermove", (event) => {
      if (!event.buttons) this.#hoverAt(...inside(event));
    });
    this.deckHost.addEventListener("pointerleave", () => this.furniture.tooltip(null));
    this.deckHost.addEventListener("pointerdown", (event) => {
      down = event.isPrimary && event.button === 0 ? { x: event.clientX, y: event.clientY } : null;
    });
    this.deckHost.addEventListener("pointerup", (event) => {
      const still = down && Math.hypot(event.clientX - down.x, event.clientY - down.y) < 5;
      down = null;
      if (!still) return;
      if (this.adding) this.#addAt(...inside(event));
      else this.#pickAt(...inside(event));
    });
    this.surface.addEventListener("keydown", (event) => {
      if (event.target.closest(".post") || event.altKey || event.ctrlKey || event.metaKey || !this.view) return;
      const pans = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (event.key in pans) this.panBy(...pans[event.key].map((step) => step * PAN_PX));
      else if (event.key === "+" || event.key === "=") this.zoomBy(1);
      else if (event.key === "-") this.zoomBy(-1);
      else if (event.key === "Home") this.fit(true);
      else if (event.key === "Enter" && this.adding) this.#addAt(this.view.width / 2, this.view.height / 2);
      else if (event.key === "Escape" && this.adding) this.setAdding(false);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }
}
