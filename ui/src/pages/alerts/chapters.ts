import type { Transition } from '../../api/notify';

export interface Chapter {
  /** Of several messages the newest. */
  last: Transition;
  receivers: string[];
  messages: number;
}

/** Messages in a row are one entry: a reminder every five minutes must not hide what changed. */
export function chapters(transitions: Transition[]): Chapter[] {
  const result: Chapter[] = [];
  for (const t of transitions) {
    const previous = result.at(-1);
    if (t.to !== 'notified') {
      result.push({ last: t, receivers: [], messages: 0 });
    } else if (previous && previous.messages > 0) {
      previous.messages++;
      if (!previous.receivers.includes(t.receiver)) previous.receivers.push(t.receiver);
    } else {
      result.push({ last: t, receivers: [t.receiver], messages: 1 });
    }
  }
  return result;
}
