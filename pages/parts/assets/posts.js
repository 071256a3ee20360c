// Posts as buttons over the map: dragged by mouse, touch or pen, moved by arrow keys, switched by click, Space or Enter.

import { directionWord, distanceM } from "./projection.js";

const DRAG_START_PX = 4;
const STEP_PX = 10;
const FINE_STEP_PX = 1;
const COMMIT_PAUSE_MS = 700;
const STATE_WORDS = { staffed: "staffed", off: "off", candidate: "candidate, not staffed" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Posts {
  constructor(host, map) {
    this.host = host;
    this.map = map;
    this.markers = new Map();
    this.dragging = null;
    this.stepping = null;
    // The wheel zooms the map, also where a post lies under the pointer.
    host.addEventListener("wheel", (event) => {
      event.preventDefault();
      map.deckHost.querySelector("canvas")?.dispatchEvent(new WheelEvent("wheel", event));
    }, { passive: false });
  }

  // Take the page's posts, but keep what the person has just done and the page has not answered yet.
  update(posts, waitingIds) {
    const wanted = new Set(posts.map((post) => post.id));
    for (const [id, marker] of this.markers) {
      if (wanted.has(id) || this.#held(id)) continue;
      const focused = marker.element.matches(":focus");
      marker.element.remove();
      this.markers.delete(id);
      if (focused) this.map.surface.focus();
    }
    for (const post of posts) {
      let marker = this.markers.get(post.id);
      if (!marker) {
        marker = this.#create(post.id);
        this.markers.set(post.id, marker);
      }
      const keep = this.#held(post.id) || waitingIds.has(post.id);
      marker.post = keep && marker.post ? { ...post, lon: marker.post.lon, lat: marker.post.lat, state: marker.post.state } : post;
      this.#dress(marker);
    }
    if (this.map.view) this.place(this.map.view);
  }

  #held(id) {
    return this.dragging?.id === id || this.stepping?.id === id;
  }

  #create(id) {
    const element = document.createElement("button");
    element.type = "button";
    element.className = "post";
    element.dataset.post = id;
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.setAttribute("aria-hidden", "true");
    const label = document.createElement("span");
    label.className = "label";
    label.setAttribute("aria-hidden", "true");
    element.append(mark, label);
    this.host.append(element);
    const marker = { id, element, mark, label, post: null };
    this.#listen(marker);
    return marker;
  }

  #dress({ element, mark, label, post }) {
    const editable = this.map.data.editable;
    element.dataset.state = post.state;
    element.dataset.changed = post.changed ? "yes" : "no";
    mark.textContent = post.state === "staffed" ? post.mark : "";
    mark.dataset.cross = post.state === "staffed" && !post.mark ? "yes" : "no";
    const name = document.createElement("strong");
    name.textContent = post.label;
    label.replaceChildren(name);
    if (post.note) {
      const note = document.createElement("span");
      note.textContent = post.note;
      label.append(note);
    }
    const words = [post.label, STATE_WORDS[post.state]];
    if (post.changed) words.push("changed");
    if (post.note) words.push(post.note);
    element.setAttribute("aria-label", words.join(", "));
    if (editable) {
      element.setAttribute("aria-pressed", post.state === "staffed" ? "true" : "false");
      element.setAttribute("aria-describedby", "post-help");
    } else {
      element.removeAttribute("aria-pressed");
      element.removeAttribute("aria-describedby");
    }
  }

  place(view) {
    for (const marker of this.markers.values()) this.#placeOne(marker, view);
  }

  #placeOne({ element, post }, view) {
    const [x, y] = view.toScreen(post.lon, post.lat);
    element.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    element.classList.toggle("away", x < -20 || y < -20 || x > view.width + 20 || y > view.height + 20);
    element.classList.toggle("left", x > view.width * 0.62);
  }

  // ---- pointer

  #listen(marker) {
    const { element } = marker;
    element.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0 || !this.map.data.editable || this.dragging) return;
      this.#commitStep();
      element.setPointerCapture(event.pointerId);
      const { lon, lat } = marker.post;
      const [x, y] = this.map.view.toScreen(lon, lat);
      const box = this.map.surface.getBoundingClientRect();
      this.dragging = {
        id: marker.id, marker, lon, lat, moved: false, pointer: event.pointerId,
        startX: event.clientX, startY: event.clientY,
        offsetX: event.clientX - box.left - x, offsetY: event.clientY - box.top - y,
      };
    });
    element.addEventListener("pointermove", (event) => {
      const drag = this.dragging;
      if (drag?.marker !== marker || event.pointerId !== drag.pointer) return;
      if (!drag.moved && Math.hypot(event.clientX - drag.startX, event.clientY - drag.startY) < DRAG_START_PX) return;
      drag.moved = true;
      element.classList.add("dragged");
      const box = this.map.surface.getBoundingClientRect();
      this.#moveTo(marker, event.clientX - box.left - drag.offsetX, event.clientY - box.top - drag.offsetY);
    });
    element.addEventListener("pointerup", (event) => {
      const drag = this.dragging;
      if (drag?.marker !== marker || event.pointerId !== drag.pointer) return;
      this.dragging = null;
      element.classList.remove("dragged");
      if (drag.moved) this.#commitMove(marker, drag.lon, drag.lat);
      else this.#toggle(marker);
    });
    element.addEventListener("pointercancel", () => this.cancelDrag());
    // The pointer has done it already; a click without a pointer comes from a screen reader.
    element.addEventListener("click", (event) => {
      if (event.detail === 0 && this.map.data.editable) this.#toggle(marker);
    });
    element.addEventListener("keydown", (event) => this.#key(marker, event));
    element.addEventListener("blur", () => {
      if (this.stepping?.marker === marker) this.#commitStep();
    });
    element.addEventListener("focus", () => {
      if (element.matches(":focus-visible") && element.classList.contains("away")) this.#show(marker);
    });
  }

  // Bring a focused post that lies outside the view into it.
  #show({ post }) {
    const [x, y] = this.map.view.toScreen(post.lon, post.lat);
    this.map.panBy(x - this.map.view.width / 2, y - this.map.view.height / 2);
  }

  #moveTo(marker, px, py) {
    const { view } = this.map;
    const x = Math.min(view.width - 4, Math.max(4, px));
    const y = Math.min(view.height - 4, Math.max(4, py));
    const [lon, lat] = view.toLonLat(x, y);
    marker.post = { ...marker.post, lon, lat };
    this.#placeOne(marker, view);
    this.follow([], marker.id);
  }

  // Ask for the live field from all staffed posts, from the one that is moved, and from further places.
  follow(places = [], moved = null) {
    const from = [...places];
    for (const { post } of this.markers.values()) {
      if (post.state === "staffed" || post.id === moved) from.push([post.lon, post.lat]);
    }
    this.map.followLive(from);
  }

  cancelDrag() {
    const drag = this.dragging;
    if (!drag) return;
    this.dragging = null;
    drag.marker.element.classList.remove("dragged");
    drag.marker.post = { ...drag.marker.post, lon: drag.lon, lat: drag.lat };
    this.map.live.hide();
    this.place(this.map.view);
  }

  // ---- keys

  #key(marker, event) {
    if (event.key === "Escape" && (this.dragging || this.stepping)) {
      this.cancelDrag();
      this.#cancelStep();
      this.map.say("Move cancelled.");
    } else if (!this.map.data.editable || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    } else if (event.key in ARROWS) {
      this.#step(marker, ARROWS[event.key], event.shiftKey ? FINE_STEP_PX : STEP_PX);
    } else if (event.key === "Enter" && this.stepping) {
      this.#commitStep();
    } else if (event.key === "Enter" || event.key === " ") {
      if (event.repeat) return;
      this.#commitStep();
      this.#toggle(marker);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.#remove(marker);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #step(marker, [dx, dy], px) {
    if (this.stepping?.marker !== marker) {
      this.#commitStep();
      this.stepping = { id: marker.id, marker, lon: marker.post.lon, lat: marker.post.lat };
    }
    const [x, y] = this.map.view.toScreen(marker.post.lon, marker.post.lat);
    this.#moveTo(marker, x + dx * px, y + dy * px);
    clearTimeout(this.stepping.timer);
    this.stepping.timer = setTimeout(() => this.#commitStep(), COMMIT_PAUSE_MS);
  }

  #commitStep() {
    const step = this.stepping;
    if (!step) return;
    clearTimeout(step.timer);
    this.stepping = null;
    this.#commitMove(step.marker, step.lon, step.lat);
  }

  #cancelStep() {
    const step = this.stepping;
    if (!step) return;
    clearTimeout(step.timer);
    this.stepping = null;
    step.marker.post = { ...step.marker.post, lon: step.lon, lat: step.lat };
    this.map.live.hide();
    this.place(this.map.view);
  }

  // ---- what goes to the page

  #commitMove(marker, fromLon, fromLat) {
    const { id, label, lon, lat } = marker.post;
    const metres = distanceM(fromLon, fromLat, lon, lat);
    this.map.say(`${label} moved ${Math.round(metres)} m ${directionWord(fromLon, fromLat, lon, lat)}. The figures follow.`);
    this.map.send({ type: "move", id, lon, lat });
  }

  #toggle(marker) {
    const on = marker.post.state !== "staffed";
    marker.post = { ...marker.post, state: on ? "staffed" : "off" };
    this.#dress(marker);
    this.follow();
    this.map.say(`${marker.post.label} switched ${on ? "on" : "off"}. The figures follow.`);
    this.map.send({ type: "toggle", id: marker.id });
  }

  #remove(marker) {
    const { id, label, removable } = marker.post;
    if (!removable) {
      this.map.say(`${label} is one of the city's posts: switch it off instead of removing it.`);
      return;
    }
    this.map.say(`${label} removed. The figures follow.`);
    this.map.send({ type: "remove", id });
  }
}
