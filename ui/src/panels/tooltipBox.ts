import { canvasColor } from '../model/colors';
import { Moving } from './moving';
import styles from './tooltipBox.module.css';

export interface TooltipLine {
  name: string;
  color?: string;
  value?: string;
}

export interface TooltipContent {
  head: string;
  lines: TooltipLine[];
  /** The line that stands out, counted from 0. */
  strong?: number;
  note?: string;
}

const marginPx = 8;
/** As in the style sheet: to ask for the height would lay out the page at each move. */
const rowPx = 20;
const aroundPx = 18;

/**
 * What is written beside the mouse. Written into the document by hand, and into the
 * same few elements each time: all names are one text, as are all values, because
 * an element for each of them would cost more at a move than drawing the graph.
 */
export class TooltipBox {
  readonly #place = made(styles.place);
  readonly #moving: Moving;
  readonly #box = made(styles.box, this.#place);
  readonly #head = new Written(made(styles.head, this.#box));
  readonly #lines = made(styles.lines, this.#box);
  readonly #swatches = made(styles.swatches, this.#lines);
  readonly #names = new Column(made(`${styles.column} ${styles.names}`, this.#lines));
  readonly #values = new Column(made(`${styles.column} ${styles.values}`, this.#lines));
  #widest = 0;
  readonly #note = new Written(made(styles.note, this.#box));
  #left = false;
  #colors: string[] = [];

  constructor() {
    document.body.append(this.#place);
    this.#moving = new Moving(this.#place);
  }

  /** x and y are the mouse in the window. */
  show({ head, lines, strong, note }: TooltipContent, x: number, y: number): void {
    this.#head.write(head);
    this.#paint(lines.map((l) => l.color ?? ''));
    this.#names.write(
      lines.map((l) => l.name),
      strong,
    );
    this.#values.write(
      lines.map((l) => l.value ?? ''),
      strong,
    );
    this.#keepWidth(lines);
    this.#note.write(note ?? '');
    const left = x >= window.innerWidth / 2;
    if (left !== this.#left) this.#box.classList.toggle(styles.left ?? '', left);
    this.#left = left;
    const rows = 1 + lines.length + (note ? 1 : 0);
    const height = rows * rowPx + aroundPx;
    this.#moving.to(x, Math.max(marginPx, Math.min(y - height / 2, window.innerHeight - height - marginPx)));
  }

  hide(): void {
    this.#moving.hide();
  }

  remove(): void {
    this.#place.remove();
  }

  /** A box that grows and shrinks with each digit would tremble, and each size is a new layer. */
  #keepWidth(lines: TooltipLine[]): void {
    const widest = lines.reduce((most, { value = '' }) => Math.max(most, value.length), this.#widest);
    if (widest > this.#widest) this.#values.element.style.minWidth = `${widest}ch`;
    this.#widest = widest;
  }

  #paint(colors: string[]): void {
    const { children } = this.#swatches;
    while (children.length < colors.length) made(styles.swatch, this.#swatches);
    for (let i = 0; i < children.length; i++) {
      const color = colors[i];
      if (color === this.#colors[i]) continue;
      const { style } = children[i] as HTMLElement;
      style.display = color === undefined ? 'none' : '';
      style.background = color ? canvasColor(color) : '';
    }
    this.#colors = colors;
  }
}

/** A text that is written only when it is another one. */
class Written {
  readonly #text = document.createTextNode('');

  constructor(parent: HTMLElement) {
    parent.append(this.#text);
  }

  write(text: string): void {
    if (this.#text.data !== text) this.#text.data = text;
  }
}

/** Lines below each other, of which one may stand out. */
class Column {
  readonly #before: Written;
  readonly #strong: Written;
  readonly #after: Written;

  constructor(readonly element: HTMLElement) {
    this.#before = new Written(element);
    this.#strong = new Written(made(styles.strong, element, 'span'));
    this.#after = new Written(element);
  }

  write(lines: string[], strong = lines.length): void {
    const text = lines.map((line) => `${line.replaceAll('\n', ' ')}\n`);
    this.#before.write(text.slice(0, strong).join(''));
    this.#strong.write(text[strong] ?? '');
    this.#after.write(text.slice(strong + 1).join(''));
  }
}

function made(className: string | undefined, parent?: HTMLElement, tag = 'div'): HTMLElement {
  const result = document.createElement(tag);
  result.className = className ?? '';
  parent?.append(result);
  return result;
}
