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

  async start(url, view) {
    if (this.instance || this.starting) return;
    this.starting = true;
    let library;
    try {
      library = await loadDeck(url);
    } catch (fault) {
      this.onFault(fault.message);
      return;
    } finally {
      this.starting = false;
    }
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
      onError: () => this.onFault("This browser cannot draw with WebGL: hexagons are missing, all else works"),
      onHover: ({ object, x, y }) => this.onHover(object === undefined ? null : object?.label ?? null, x, y),
      getCursor: ({ isDragging }) => (isDragging ? "grabbing" : "inherit"),
      layers: [],
    });
    this.show(this.wanted, this.stale);
  }

  move(view) {
    this.instance?.setProps({ viewState: view.deckState });
  }

  show(hexes, stale) {
    this.wanted = hexes;
    this.stale = stale;
    const wanted = hexes ? JSON.stringify([hexes, stale]) : "";
    if (!this.instance || wanted === this.shown) return;
    this.shown = wanted;
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
