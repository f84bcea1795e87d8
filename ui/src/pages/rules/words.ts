import type { RouteMatch } from '../../api/notify';
import { exprOf, type RuleDraft } from './draft';

const comparisonWords = {
  '>': 'above',
  '>=': 'at or above',
  '<': 'below',
  '<=': 'at or below',
  '==': 'exactly at',
  '!=': 'at anything but',
};

/** What the rule will do, as one would tell it to a colleague. */
export function conditionInWords(draft: RuleDraft): string {
  const expr = exprOf(draft);
  const lasts = draft.for.trim() && draft.for.trim() !== '0s';
  const subject =
    draft.kind === 'threshold'
      ? `When ${draft.query.trim() || '…'} ${lasts ? 'stays' : 'is'} ${comparisonWords[draft.op]} ${draft.value || '…'}`
      : `When ${expr || '…'} has a result`;
  return lasts ? `${subject} for ${draft.for.trim()}` : subject;
}

/** Who is told how soon, for one way of the alert. */
export function routeInWords(route: RouteMatch): string {
  const parts = [`${route.receiver} is told within ${route.groupWait}`];
  const names = Object.keys(route.groupLabels).sort();
  parts.push(
    names.length > 0 ? `in one message for each ${names.join(', ')}` : 'in one message for all of the route',
  );
  parts.push(`again every ${route.repeatInterval} while it lasts`);
  return parts.join(', ');
}

/** The condition under which the route was taken. */
export function whyInWords(route: RouteMatch): string {
  const conditions = route.route.split('/').slice(1);
  if (conditions.length === 0) return 'because no route asks for more: it is the default';
  return `because of ${conditions.map((c) => c.replace(/^\{(.*)\}$/, '$1')).join(', then ')}`;
}

export function endInWords(draft: RuleDraft): string {
  const end = draft.recovery.trim()
    ? `It ends when ${draft.recovery.trim()}`
    : 'It ends when the condition does';
  const keep = draft.keepFiringFor.trim() ? `, and ${draft.keepFiringFor.trim()} have passed` : '';
  const data = {
    ok: ' or the data is gone.',
    keep: '. While the data is gone it fires on.',
    fire: '. Data that is gone becomes an alert of its own.',
  }[draft.noData];
  return `${end}${keep}${data}`;
}

export interface Way {
  route: RouteMatch;
  /** How many of the instances go this way. */
  count: number;
}

/** The different ways of several instances of an alert. */
export function waysOf(matches: RouteMatch[][]): Way[] {
  const ways = new Map<string, Way>();
  for (const route of matches.flat()) {
    const way = ways.get(route.route);
    if (way) way.count++;
    else ways.set(route.route, { route, count: 1 });
  }
  return [...ways.values()];
}
