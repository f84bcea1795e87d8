import type { Tone } from './Chip';

/** How an attempt ended, or how a destination is: the colour of its word. */
export function toneOf(word: string): Tone {
  switch (word) {
    case 'delivered':
    case 'working':
      return 'ok';
    case 'retry':
    case 'paced':
      return 'warn';
    case 'dropped':
    case 'unused':
    case 'idle':
      return 'dim';
    default:
      return 'bad'; // Also what we do not know: better looked at once too often.
  }
}

/** What it means for whoever waits for the message. */
export function outcomeText(outcome: string): string {
  const texts: Record<string, string> = {
    delivered: 'the destination has taken it',
    retry: 'it failed and is tried again',
    paced: 'the destination asked for a pause',
    dead: 'the destination is gone, or refuses us',
    rejected: 'refused for good: nobody gets it',
    expired: 'given up after trying for long: nobody gets it',
    dropped: 'its destination was removed',
  };
  return texts[outcome] ?? outcome;
}

export const integrationName = (d: { integration: string; index: number }): string =>
  `${d.integration}[${d.index}]`;
