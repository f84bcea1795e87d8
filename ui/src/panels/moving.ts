/** Farther than any window is wide. */
const reachPx = 100_000;

/**
 * Moves an element that follows the mouse. Its place is a moment of a paused
 * animation, because a new style would have Chromium sort all layers of the page
 * anew at each move, and that is half of what a move costs.
 */
export class Moving {
  readonly #across: Animation;
  readonly #down: Animation;
  #shown = true;

  constructor(readonly element: HTMLElement) {
    this.#across = paused(element, { transform: ['translateX(0)', `translateX(${reachPx}px)`] });
    this.#down = paused(element, { translate: ['0 0', `0 ${reachPx}px`] });
    this.hide();
  }

  to(x: number, y: number): void {
    this.#across.currentTime = Math.round(x);
    this.#down.currentTime = Math.round(y);
    if (!this.#shown) this.element.style.visibility = 'visible';
    this.#shown = true;
  }

  hide(): void {
    if (this.#shown) this.element.style.visibility = 'hidden';
    this.#shown = false;
  }
}

function paused(element: HTMLElement, frames: PropertyIndexedKeyframes): Animation {
  const animation = element.animate(frames, { duration: reachPx, fill: 'both' });
  animation.pause();
  return animation;
}
