export type Level = 'bad' | 'warn' | 'info';

/** How loud an alert is. Without a severity it is a warning, as in its messages. */
export function levelOf(severity = ''): Level {
  if (/^(critical|page|fatal|emergency|high|error)$/i.test(severity)) return 'bad';
  return /^(none|info|low|debug)$/i.test(severity) ? 'info' : 'warn';
}

const ranks: Record<Level, number> = { bad: 0, warn: 1, info: 2 };

export const levelRank = (level: Level): number => ranks[level];
