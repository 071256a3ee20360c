// Read the binary that pages/parts/ground.py writes; its docstring documents the format.

const MAGIC = "CRSG";
const TYPES = {
  uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
};

export function decodeGround(buffer) {
  const bytes = new Uint8Array(buffer);
  if (String.fromCharCode(...bytes.subarray(0, 4)) !== MAGIC) {
    throw new Error("The ground file of this map is not in the form that the map reads; delete the city's cache folder");
  }
  const headerBytes = new DataView(buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
  const start = 8 + headerBytes;
  const sections = {};
  for (const [name, { type, offset, length }] of Object.entries(header.sections)) {
    sections[name] = new TYPES[type](buffer, start + offset, length);
  }
  return { ...header, sections };
}

// Lines stored as counts, first points and steps -> {offsets, x, y} in local metres.
export function decodeLines(ground, name, projection) {
  const { sections, line_quantum: quantum, origin } = ground;
  const counts = sections[`${name}_count`];
  const firstX = sections[`${name}_first_x`];
  const firstY = sections[`${name}_first_y`];
  const stepX = sections[`${name}_step_x`];
  const stepY = sections[`${name}_step_y`];
  const offsets = new Uint32Array(counts.length + 1);
  for (let i = 0; i < counts.length; i += 1) offsets[i + 1] = offsets[i] + counts[i];
  const total = offsets[counts.length];
  const x = new Float32Array(total);
  const y = new Float32Array(total);
  let step = 0;
  for (let i = 0; i < counts.length; i += 1) {
    let qx = firstX[i];
    let qy = firstY[i];
    for (let k = offsets[i]; k < offsets[i + 1]; k += 1) {
      if (k > offsets[i]) {
        qx += stepX[step];
        qy += stepY[step];
        step += 1;
      }
      x[k] = projection.x(origin[0] + qx * quantum);
      y[k] = projection.y(origin[1] + qy * quantum);
    }
  }
  return { offsets, x, y };
}

// Rings packed by city_map.py: base64 of zigzag varints: ring count, then per ring its point count and steps.
export function decodeRings(text, quantum, origin, projection) {
  const raw = atob(text);
  let at = 0;
  const next = () => {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = raw.charCodeAt(at);
      at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value % 2 ? -(value + 1) / 2 : value / 2;
      factor *= 128;
    }
  };
  const path = new Path2D();
  let qx = 0;
  let qy = 0;
  for (let rings = next(); rings > 0; rings -= 1) {
    const points = next();
    for (let k = 0; k < points; k += 1) {
      qx += next();
      qy += next();
      const x = projection.x(origin[0] + qx * quantum);
      const y = projection.y(origin[1] + qy * quantum);
      if (k) path.lineTo(x, y);
      else path.moveTo(x, y);
    }
    path.closePath();
  }
  return path;
}
