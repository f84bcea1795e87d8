/**
 * Colours by the names that dashboards use. The shades are ours; they read well on
 * the dark ground, and are darkened where they stand on the light one.
 */
const hues: Record<
  string,
  [dark: string, semiDark: string, base: string, light: string, superLight: string]
> = {
  red: ['#c2323f', '#e04455', '#f0596a', '#ff7f8b', '#ffabb3'],
  orange: ['#d4640f', '#f27b1f', '#ff9340', '#ffad6b', '#ffc99c'],
  yellow: ['#cf9f0b', '#e5b51d', '#f5cb3c', '#ffdf6e', '#fff0a8'],
  green: ['#2b8a43', '#3ba558', '#57c274', '#86d99b', '#b8ecc5'],
  blue: ['#2462c9', '#3c7ce3', '#5c97f5', '#8ab6ff', '#bcd6ff'],
  purple: ['#8240b8', '#9d58d1', '#b577e3', '#cb9bf0', '#e0c4f8'],
};
const shades = ['dark-', 'semi-dark-', '', 'light-', 'super-light-'];

const named = new Map<string, string>([
  ['text', 'var(--hw-text)'],
  ['transparent', 'transparent'],
  ['white', '#ffffff'],
  ['black', '#000000'],
  ['gray', '#8e98a8'],
  ['grey', '#8e98a8'],
  ...Object.entries(hues).flatMap(([hue, tones]) =>
    tones.map((tone, i): [string, string] => [`${shades[i]}${hue}`, tone]),
  ),
]);

/** Series take these in turn: neighbours differ in hue and in lightness. */
export const palette = [
  '#57c274',
  '#f5cb3c',
  '#5c97f5',
  '#ff9340',
  '#f0596a',
  '#46c7d6',
  '#b577e3',
  '#e884c4',
  '#9fc454',
  '#8a9cf0',
  '#e0a36c',
  '#4fb6a0',
  '#d6d05a',
  '#7ab8f0',
  '#d9775e',
  '#c9a0e8',
  '#6fcf97',
  '#c2b280',
  '#f29ca3',
  '#7fa3a8',
  '#b3d264',
  '#a7b6d4',
  '#e3bf57',
  '#cc8fb0',
];

export const paletteColor = (index: number): string => palette[index % palette.length] ?? '#5c97f5';

/** A name, a hex value, or any colour of CSS. */
export function resolveColor(name: string): string {
  return named.get(name) ?? (name || '#8e98a8');
}

/** For a canvas, which knows no variables of CSS. */
export function canvasColor(name: string): string {
  const color = resolveColor(name);
  const variable = /^var\((--[\w-]+)\)$/.exec(color)?.[1];
  return variable ? getComputedStyle(document.documentElement).getPropertyValue(variable).trim() : color;
}

type Rgb = [number, number, number];

function parse(color: string): Rgb | undefined {
  const hex = /^#([0-9a-f]{3,8})$/i.exec(color)?.[1];
  if (hex) {
    const full = hex.length < 6 ? [...hex.slice(0, 3)].map((c) => c + c).join('') : hex;
    return [0, 2, 4].map((i) => parseInt(full.slice(i, i + 2), 16)) as Rgb;
  }
  const rgb = /^rgba?\(\s*([\d.]+)[\s,]+([\d.]+)[\s,]+([\d.]+)/.exec(color);
  return rgb ? [Number(rgb[1]), Number(rgb[2]), Number(rgb[3])] : undefined;
}

export function withAlpha(color: string, alpha: number): string {
  const rgb = parse(color);
  return rgb ? `rgba(${rgb.join(',')},${alpha})` : color;
}

/** Between two colours; share 0 is the first. */
export function mix(a: string, b: string, share: number): string {
  const [from, to] = [parse(a), parse(b)];
  if (!from || !to) return share < 0.5 ? a : b;
  return `rgb(${from.map((c, i) => Math.round(c + ((to[i] ?? c) - c) * share)).join(',')})`;
}

/** Black or white, whichever reads better on the colour. */
export function contrastText(color: string): string {
  const [r, g, b] = parse(color) ?? [0, 0, 0];
  return 0.299 * r + 0.587 * g + 0.114 * b > 150 ? '#10141c' : '#ffffff';
}

const scales: Record<string, string[]> = {
  GrYlRd: ['#57c274', '#f5cb3c', '#f0596a'],
  RdYlGr: ['#f0596a', '#f5cb3c', '#57c274'],
  BlYlRd: ['#5c97f5', '#f5cb3c', '#f0596a'],
  YlRd: ['#f5cb3c', '#f0596a'],
  BlPu: ['#5c97f5', '#b577e3'],
  YlBl: ['#f5cb3c', '#5c97f5'],
  blues: ['#16233c', '#5c97f5', '#d8e7ff'],
  reds: ['#341a20', '#f0596a', '#ffd7da'],
  greens: ['#16291c', '#57c274', '#d8f5df'],
  purples: ['#251a33', '#b577e3', '#efdcff'],
};

const heatScales: Record<string, string[]> = {
  Oranges: ['#2b1d13', '#a24c12', '#ff9340', '#ffe2c4'],
  Spectral: ['#3f5fb8', '#4fb6a0', '#d6d05a', '#ff9340', '#c2323f'],
  Blues: ['#152033', '#2c5fae', '#6ea8ff', '#dbe9ff'],
  Greens: ['#14251a', '#2b8a43', '#6fd08b', '#ddf5e3'],
  Reds: ['#2b151a', '#b5323f', '#ff7f8b', '#ffe0e3'],
  Turbo: ['#30123b', '#4777ef', '#1bd0d5', '#62fc6b', '#d2e935', '#fe9b2d', '#db3a07', '#7a0403'],
  Viridis: ['#440154', '#3b528b', '#21918c', '#5ec962', '#fde725'],
  Inferno: ['#08051d', '#4a0c6b', '#a52c60', '#ed6925', '#fcffa4'],
};

/** A colour on a scale of several; share goes from 0 to 1. */
export function onScale(stops: string[], share: number): string {
  const position = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const index = Math.min(stops.length - 2, Math.floor(position));
  return mix(stops[index] ?? '#000', stops[index + 1] ?? '#fff', position - index);
}

export const continuousScale = (mode: string): string[] | undefined =>
  scales[mode.replace('continuous-', '')];
export const heatScale = (name: string): string[] => heatScales[name] ?? heatScales.Spectral ?? [];
export const heatScaleNames = Object.keys(heatScales);
export const colorNames = Object.keys(hues).flatMap((hue) => shades.map((shade) => shade + hue));
