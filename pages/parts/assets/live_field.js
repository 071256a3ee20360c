// The live field: asks the worker for driving times while posts move; never more than one question on its way.

export class LiveField {
  constructor(workerUrl, ground, onField) {
    this.onField = onField;
    this.seconds = null;
    this.shown = false;
    this.config = null;
    this.busy = false;
    this.next = null;
    this.waiters = [];
    this.updates = 0;
    this.worker = null;
    this.workerUrl = workerUrl;
    this.ground = ground;
  }

  #start() {
    this.worker = new Worker(this.workerUrl, { type: "module" });
    const { sections, origin, node_quantum } = this.ground;
    const graph = {};
    for (const name of ["node_x", "node_y", "node_main", "edge_u", "edge_v", "edge_cs", "edge_class", "edge_oneway"]) {
      graph[name] = sections[name];
    }
    this.worker.postMessage({ type: "graph", graph, origin, node_quantum });
    this.worker.onmessage = ({ data }) => this.#receive(data);
  }

  configure(config) {
    const text = JSON.stringify(config);
    if (text === this.configText) return;
    this.configText = text;
    this.config = config;
    if (!config) {
      this.hide();
      return;
    }
    if (!this.worker) this.#start();
    this.worker.postMessage({ type: "configure", config });
  }

  follow(places) {
    if (!this.config) return;
    this.shown = true;
    this.next = places;
    this.#ask();
  }

  #ask() {
    if (this.busy || !this.next) return;
    this.busy = true;
    this.worker.postMessage({ type: "field", places: this.next, recycle: this.spare }, this.spare ? [this.spare.buffer] : []);
    this.spare = null;
    this.next = null;
  }

  #receive({ seconds, cost_ms: cost }) {
    this.busy = false;
    this.cost_ms = cost;
    this.spare = this.seconds;
    this.seconds = seconds;
    this.updates += 1;
    this.onField();
    this.#ask();
    if (!this.busy) for (const done of this.waiters.splice(0)) done(this.seconds);
  }

  // The field once no question is open.
  settled() {
    if (!this.busy && !this.next) return Promise.resolve(this.seconds);
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  hide() {
    this.shown = false;
    this.onField();
  }

  close() {
    this.worker?.terminate();
  }
}
