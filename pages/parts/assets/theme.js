// Light or dark by the page's own background, and the map's colours from the style sheet.

const NAMES = [
  "outside", "land", "water", "border", "minor", "middle", "major", "freeway", "freeway-edge", "label", "street-label", "halo", "water-label",
];

function luminance(colour) {
  const context = document.createElement("canvas").getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

export function readTheme(host) {
  const background = getComputedStyle(host).getPropertyValue("--st-background-color").trim() || "#ffffff";
  const name = luminance(background) < 0.5 ? "dark" : "light";
  host.dataset.theme = name;
  const style = getComputedStyle(host);
  const colours = Object.fromEntries(NAMES.map((key) => [key, style.getPropertyValue(`--map-${key}`).trim()]));
  return { name, font: style.fontFamily, colours };
}
