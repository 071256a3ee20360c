// deck.gl: it moves the view and carries hexagons and dots that can be pointed at. Loaded once a page, from pydeck's own bundle.

let loading = null;

function loadDeck(url) {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => resolve(window.deck);
    script.onerror = () => {
      loading = null;
      reject(new Error("The map's drawing library could not be loaded; reload the page"));
    };
    document.head.append(script);
  });
  return loading;
}

const rgba = (hex, opacity) => [
  parseInt(hex.slice(1, 3), 16),
  parseInt(hex.slice(3, 5), 16),
  parseInt(hex.slice(5, 7), 16),
  Math.round(opacity * 255),
];

export class DeckLayer {
  constructor(host, id, { onView, onHover, onPick, onFault }) {
    this.host = host;
    this.id = `crescent-${id}`;
    this.onView = onView;
    this.onHover = onHover;
    this.onPick = onPick;
    this.onFault = onFault;
    this.instance = null;
    this.shown = null;
  }

  // Begin once; `current` tells whether the map is still on the page when the library has come.
  async start(url, view, current) {
    const library = await loadDeck(url);
    if (this.instance || !current()) return;
    this.library = library;
    this.instance = new library.Deck({
      id: this.id,
      parent: this.host,
      width: "100%",
      height: "100%",
      useDevicePixels: false,
      views: new library.MapView({ id: "map", repeat: false }),
      controller: { dragRotate: false, touchRotate: false, keyboard: false, inertia: false },
      viewState: view.deckState,
      onViewStateChange: ({ viewState }) => this.onView(viewState),
      onError: () => this.onFault("This browser lacks WebGL: no hexagons or dots; buttons and arrow keys move the map."),
      onHover: ({ object, x, y }) => this.onHover(object === undefined ? null : object?.label ?? null, x, y),
      onClick: ({ object }) => object?.id !== undefined && this.onPick(object.id),
      pickingRadius: 4,
      getCursor: ({ isDragging, isHovering }) => (isDragging ? "grabbing" : isHovering && this.wanted?.dots ? "pointer" : "inherit"),
      layers: [],
      // deck makes its canvas a stop of the Tab key; the map around it is one already.
      onLoad: () => {
        const canvas = this.host.querySelector("canvas");
        canvas.tabIndex = -1;
        canvas.setAttribute("aria-hidden", "true");
      },
    });
    this.show(this.wanted);
  }

  move(view) {
    this.instance?.setProps({ viewState: view.deckState });
  }

  show(wanted) {
    this.wanted = wanted;
    const text = JSON.stringify(wanted ?? null);
    if (!this.instance || text === this.shown) return;
    this.shown = text;
    const layers = [];
    if (wanted?.hexes) layers.push(this.#hexes(wanted.hexes));
    if (wanted?.dots) layers.push(...this.#dots(wanted.dots));
    this.instance.setProps({ layers });
  }

  #hexes(hexes) {
    return new this.library.H3HexagonLayer({
      id: `${this.id}-hexes`,
      data: hexes.cells.map((cell, i) => ({
        cell,
        label: hexes.labels[i],
        colour: rgba(hexes.colours[i], hexes.opacity),
      })),
      getHexagon: (row) => row.cell,
      getFillColor: (row) => row.colour,
      extruded: false,
      stroked: false,
      filled: true,
      pickable: true,
      autoHighlight: true,
      highlightColor: [0, 0, 0, 60],
    });
  }

  // The chosen dot's ring is a layer of its own, so that it lies above its neighbours.
  #dots(dots) {
    const rows = dots.ids.map((id, i) => ({
      id,
      label: dots.labels[i],
      place: [dots.lon[i], dots.lat[i]],
      radius: dots.radius[i],
      colour: rgba(dots.colours[i], 1),
    }));
    const common = {
      getPosition: (row) => row.place,
      radiusUnits: "pixels",
      lineWidthUnits: "pixels",
      stroked: true,
    };
    const chosen = rows.filter(({ id }) => id === dots.chosen);
    return [
      new this.library.ScatterplotLayer({
        ...common,
        id: `${this.id}-dots`,
        data: rows,
        getRadius: (row) => row.radius,
        getFillColor: (row) => row.colour,
        getLineColor: isDark(this.host) ? [18, 24, 29, 200] : [255, 255, 255, 200],
        getLineWidth: 0.75,
        pickable: true,
        autoHighlight: true,
        highlightColor: [255, 255, 255, 90],
      }),
      new this.library.ScatterplotLayer({
        ...common,
        id: `${this.id}-chosen`,
        data: chosen,
        filled: false,
        getRadius: (row) => row.radius + 5,
        getLineColor: wantedRing(this.host),
        getLineWidth: 3,
      }),
    ];
  }
}

// The ring is black on a light ground and white on a dark one.
const wantedRing = (host) => (isDark(host) ? [255, 255, 255, 255] : [0, 0, 0, 255]);

const isDark = (host) => host.closest("[data-theme]")?.dataset.theme === "dark";
