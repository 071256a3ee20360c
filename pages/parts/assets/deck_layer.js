// deck.gl: it moves the view and carries hexagons that can be pointed at. Loaded once a page, from pydeck's own bundle.

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
  constructor(host, id, { onView, onHover, onFault }) {
    this.host = host;
    this.id = `crescent-${id}`;
    this.onView = onView;
    this.onHover = onHover;
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
      onError: () => this.onFault("This browser lacks WebGL: no hexagons; buttons and arrow keys move the map."),
      onHover: ({ object, x, y }) => this.onHover(object === undefined ? null : object?.label ?? null, x, y),
      getCursor: ({ isDragging }) => (isDragging ? "grabbing" : "inherit"),
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

  show(hexes) {
    this.wanted = hexes;
    const text = hexes ? JSON.stringify(hexes) : "";
    if (!this.instance || text === this.shown) return;
    this.shown = text;
    if (!hexes) {
      this.instance.setProps({ layers: [] });
      return;
    }
    const rows = hexes.cells.map((cell, i) => ({
      cell,
      label: hexes.labels[i],
      colour: rgba(hexes.colours[i], hexes.opacity),
    }));
    const layer = new this.library.H3HexagonLayer({
      id: `${this.id}-hexes`,
      data: rows,
      getHexagon: (row) => row.cell,
      getFillColor: (row) => row.colour,
      extruded: false,
      stroked: false,
      filled: true,
      pickable: true,
      autoHighlight: true,
      highlightColor: [0, 0, 0, 60],
    });
    this.instance.setProps({ layers: [layer] });
  }
}
