// Driving times from many posts at once: Dijkstra (1959) over the ground file's graph with a binary heap.
// Same rules as geo.travel_time.nearest_times: one-way edges, closures, nodes without through traffic, speed factors,
// the way from post to node.

const DEGREE_M = 111319.49079327358;
const BUCKET_M = 300;

let graph = null;
let config = null;
let seconds = null;
let fenced = null;

self.onmessage = ({ data }) => {
  if (data.type === "graph") graph = buildGraph(data);
  else if (data.type === "configure") {
    config = data.config;
    seconds = edgeSeconds(config);
    fenced = fencedNodes(config);
  } else if (data.type === "field") {
    const started = performance.now();
    const field = nearestTimes(data.places, data.recycle);
    self.postMessage({ seconds: field, cost_ms: performance.now() - started }, [field.buffer]);
  }
};

function buildGraph({ graph: arrays, origin, node_quantum: quantum }) {
  const { node_x: qx, node_y: qy, edge_u: u, edge_v: v, edge_oneway: oneway } = arrays;
  const n = qx.length;
  const scaleX = quantum * DEGREE_M * Math.cos((origin[1] * Math.PI) / 180);
  const x = Float64Array.from(qx, (step) => step * scaleX);
  const y = Float64Array.from(qy, (step) => step * quantum * DEGREE_M);
  const start = new Uint32Array(n + 1);
  for (let e = 0; e < u.length; e += 1) {
    start[u[e] + 1] += 1;
    if (!oneway[e]) start[v[e] + 1] += 1;
  }
  for (let i = 0; i < n; i += 1) start[i + 1] += start[i];
  const free = start.slice(0, n);
  const target = new Uint32Array(start[n]);
  const edge = new Uint32Array(start[n]);
  const arc = (from, to, e) => {
    target[free[from]] = to;
    edge[free[from]] = e;
    free[from] += 1;
  };
  for (let e = 0; e < u.length; e += 1) {
    arc(u[e], v[e], e);
    if (!oneway[e]) arc(v[e], u[e], e);
  }
  const room = 2 * start[n] + 4096; // a fenced node and its second self are each reached along each arc at most
  const heap = { key: new Float64Array(room), node: new Uint32Array(room), size: 0 };
  return { ...arrays, n, x, y, origin, start, target, edge, heap, buckets: bucketsOf(arrays.node_main, x, y) };
}

// Seconds a drive takes along each edge; infinite where it is closed.
function edgeSeconds({ speed_factor_by_class: factor, speed_factor_of_edge: others, closed_edges: closed }) {
  const { edge_cs: cs, edge_class: kind } = graph;
  const result = Float64Array.from(cs, (value, e) => value / 100 / (factor[kind[e]] ?? 1));
  for (const [e, own] of others) result[e] = cs[e] / 100 / own;
  for (const e of closed) result[e] = Infinity;
  return result;
}

// Nodes that may be reached and left, never passed. Drives that begin on such ground begin at second selves of its
// nodes, numbered from n; the first selves are come to and never left for other ground.
function fencedNodes({ no_through_nodes: nodes }) {
  const { n } = graph;
  const second = new Int32Array(n).fill(-1);
  nodes.forEach((node, i) => { second[node] = n + i; });
  return { second, first: nodes, leaving: new Float32Array(nodes.length) };
}

// ---- snapping to the nearest kept node

const bucketKey = (column, row) => column * 65536 + row;

function bucketsOf(main, x, y) {
  const buckets = new Map();
  let span = 0;
  for (let i = 0; i < x.length; i += 1) {
    if (!main[i]) continue;
    const column = Math.floor(x[i] / BUCKET_M);
    const row = Math.floor(y[i] / BUCKET_M);
    span = Math.max(span, Math.abs(column), Math.abs(row));
    const key = bucketKey(column, row);
    if (buckets.has(key)) buckets.get(key).push(i);
    else buckets.set(key, [i]);
  }
  return { buckets, span };
}

function snap(lon, lat) {
  const { x, y, origin } = graph;
  const { buckets, span } = graph.buckets;
  const px = (lon - origin[0]) * DEGREE_M * Math.cos((origin[1] * Math.PI) / 180);
  const py = (lat - origin[1]) * DEGREE_M;
  const column = Math.floor(px / BUCKET_M);
  const row = Math.floor(py / BUCKET_M);
  const rings = span + Math.max(Math.abs(column), Math.abs(row)) + 1;
  let best = -1;
  let bestM = Infinity;
  // A ring r buckets away holds nothing nearer than (r - 1) buckets.
  for (let ring = 0; ring <= rings && bestM > (ring - 1) * BUCKET_M; ring += 1) {
    for (let dx = -ring; dx <= ring; dx += 1) {
      const step = Math.abs(dx) === ring ? 1 : 2 * ring;
      for (let dy = -ring; dy <= ring; dy += step || 1) {
        for (const node of buckets.get(bucketKey(column + dx, row + dy)) ?? []) {
          const metres = Math.hypot(x[node] - px, y[node] - py);
          if (metres < bestM) {
            bestM = metres;
            best = node;
          }
        }
      }
    }
  }
  return [best, bestM];
}

// ---- the search

function push(heap, key, node) {
  const { key: keys, node: nodes } = heap;
  let at = heap.size;
  heap.size += 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (keys[parent] <= key) break;
    keys[at] = keys[parent];
    nodes[at] = nodes[parent];
    at = parent;
  }
  keys[at] = key;
  nodes[at] = node;
}

// Take the least away; it was at keys[0] and nodes[0].
function drop(heap) {
  const { key: keys, node: nodes } = heap;
  heap.size -= 1;
  const { size } = heap;
  const key = keys[size];
  const node = nodes[size];
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && keys[child + 1] < keys[child]) child += 1;
    if (keys[child] >= key) break;
    keys[at] = keys[child];
    nodes[at] = nodes[child];
    at = child;
  }
  keys[at] = key;
  nodes[at] = node;
}

// Seconds from the nearest place to every node; infinite where none reaches.
function nearestTimes(places, recycle) {
  const { n, start, target, edge, heap } = graph;
  const { second, first, leaving } = fenced;
  const field = recycle?.length === n ? recycle : new Float32Array(n);
  field.fill(Infinity);
  leaving.fill(Infinity);
  heap.size = 0;
  const reach = (self, spent) => {
    if (self < n) {
      if (spent >= field[self]) return;
      field[self] = spent;
      push(heap, field[self], self);
    } else if (spent < leaving[self - n]) {
      leaving[self - n] = spent;
      push(heap, leaving[self - n], self);
    }
  };
  for (const [lon, lat] of places) {
    const [node, metres] = snap(lon, lat);
    if (node < 0) continue;
    const spent = config.source_access ? metres / (config.access_kph / 3.6) : 0;
    reach(second[node] < 0 ? node : second[node], spent);
  }
  while (heap.size) {
    const spent = heap.key[0];
    const self = heap.node[0];
    drop(heap);
    const leaves = self >= n;
    if (spent > (leaves ? leaving[self - n] : field[self])) continue;
    const node = leaves ? first[self - n] : self;
    const stays = !leaves && second[node] >= 0;
    if (leaves) reach(node, spent);
    for (let a = start[node]; a < start[node + 1]; a += 1) {
      const next = target[a];
      const other = second[next];
      if (stays && other < 0) continue;
      reach(leaves && other >= 0 ? other : next, spent + seconds[edge[a]]);
    }
  }
  return field;
}
