import { Document, isMap, isSeq, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Labels, Rule } from '../../api/prometheus';
import type { FileRule } from '../../api/rules';
import { durationOf } from '../../components/alerting/durations';
import { joinCondition, splitCondition, type Comparison } from '../../components/threshold/expression';

export type NoData = 'ok' | 'keep' | 'fire';

/** An alerting rule while it is edited. */
export interface RuleDraft {
  name: string;
  /** A query with a threshold, or any expression. */
  kind: 'threshold' | 'expression';
  query: string;
  op: Comparison;
  /** As it is typed: it may be no number yet. */
  value: string;
  expr: string;
  for: string;
  keepFiringFor: string;
  labels: [name: string, value: string][];
  /** All but those that have fields of their own. */
  annotations: [name: string, value: string][];
  summary: string;
  description: string;
  noData: NoData;
  recovery: string;
  flapping: boolean;
}

export const newDraft: RuleDraft = {
  name: '',
  kind: 'threshold',
  query: '',
  op: '>',
  value: '',
  expr: '',
  for: '1m',
  keepFiringFor: '',
  labels: [['severity', 'warning']],
  annotations: [],
  summary: '',
  description: '',
  noData: 'ok',
  recovery: '',
  flapping: true,
};

const ownAnnotations = [
  'summary',
  'description',
  'hedgewatch_no_data',
  'hedgewatch_recovery',
  'hedgewatch_flapping',
];

interface PlainRule {
  name: string;
  expr: string;
  for: string;
  keepFiringFor: string;
  labels: Labels;
  annotations: Labels;
}

function draftOf(rule: PlainRule): RuleDraft {
  const { annotations } = rule;
  const condition = splitCondition(rule.expr);
  const noData = annotations.hedgewatch_no_data;
  return {
    name: rule.name,
    kind: condition ? 'threshold' : 'expression',
    query: condition?.query ?? rule.expr,
    op: condition?.op ?? '>',
    value: condition ? String(condition.value) : '',
    expr: rule.expr,
    for: rule.for,
    keepFiringFor: rule.keepFiringFor,
    labels: Object.entries(rule.labels),
    annotations: Object.entries(annotations).filter(([name]) => !ownAnnotations.includes(name)),
    summary: annotations.summary ?? '',
    description: annotations.description ?? '',
    noData: noData === 'keep' || noData === 'fire' ? noData : 'ok',
    recovery: annotations.hedgewatch_recovery ?? '',
    flapping: annotations.hedgewatch_flapping !== 'off',
  };
}

/** Of a rule as the server evaluates it. */
export function draftOfRule(rule: Rule): RuleDraft {
  return draftOf({
    name: rule.name,
    expr: rule.query,
    for: rule.duration ? durationOf(rule.duration) : '',
    keepFiringFor: rule.keepFiringFor ? durationOf(rule.keepFiringFor) : '',
    labels: rule.labels,
    annotations: rule.annotations,
  });
}

/** Of a rule as its file has it. */
export function draftOfFile(rule: FileRule): RuleDraft {
  return draftOf({
    name: rule.alert,
    expr: rule.expr.trim(),
    for: rule.for,
    keepFiringFor: rule.keep_firing_for,
    labels: rule.labels,
    annotations: rule.annotations,
  });
}

/** What the server is to evaluate; a threshold that is no number yet makes an incomplete expression. */
export function exprOf(draft: RuleDraft): string {
  if (draft.kind === 'expression') return draft.expr.trim();
  const value = Number(draft.value);
  if (draft.query.trim() === '') return '';
  if (draft.value.trim() === '' || Number.isNaN(value)) return `${draft.query.trim()} ${draft.op}`;
  return joinCondition({ query: draft.query, op: draft.op, value });
}

export const labelsOf = (draft: RuleDraft): Labels =>
  Object.fromEntries(draft.labels.filter(([name]) => name.trim() !== ''));

/** What is missing before it can be saved. */
export function problemOf(draft: RuleDraft): string | undefined {
  if (draft.name.trim() === '') return 'Give it a name.';
  if (exprOf(draft) === '') return 'Write a query.';
  if (draft.kind === 'threshold' && (draft.value.trim() === '' || Number.isNaN(Number(draft.value))))
    return 'Set the threshold.';
  return undefined;
}

/** The rule as a file has it; keys without a value are left out. */
export function ruleOf(draft: RuleDraft): Partial<FileRule> {
  const annotations: Labels = {
    ...(draft.summary && { summary: draft.summary }),
    ...(draft.description && { description: draft.description }),
    ...Object.fromEntries(draft.annotations.filter(([name]) => name.trim() !== '')),
    ...(draft.noData !== 'ok' && { hedgewatch_no_data: draft.noData }),
    ...(draft.recovery.trim() && { hedgewatch_recovery: draft.recovery.trim() }),
    ...(!draft.flapping && { hedgewatch_flapping: 'off' }),
  };
  const labels = labelsOf(draft);
  return {
    alert: draft.name.trim(),
    expr: exprOf(draft),
    ...(draft.for.trim() && { for: draft.for.trim() }),
    ...(draft.keepFiringFor.trim() && { keep_firing_for: draft.keepFiringFor.trim() }),
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}

const ruleKeys = ['alert', 'expr', 'for', 'keep_firing_for', 'labels', 'annotations'];

/** A rule group's file with the rule in it: in the place of the old one, or at the end. Comments stay. */
export function withRule(text: string, group: string, old: string | undefined, draft: RuleDraft): string {
  const doc = text.trim() === '' ? emptyGroup(group) : parseDocument(text);
  const rules = rulesIn(doc);
  const rule: Record<string, unknown> = ruleOf(draft);
  const present = rules.items.find((item) => isMap(item) && item.get('alert') === old);
  if (old !== undefined && isMap(present)) {
    for (const key of ruleKeys) {
      if (rule[key] === undefined) present.delete(key);
      else if (JSON.stringify(plain(present, key)) !== JSON.stringify(rule[key]))
        present.set(key, doc.createNode(rule[key]));
    }
  } else {
    rules.add(doc.createNode(rule));
  }
  return doc.toString({ lineWidth: 0 });
}

/** Undefined if no rule is left: then the group goes, too. */
export function withoutRule(text: string, name: string): string | undefined {
  const doc = parseDocument(text);
  const rules = rulesIn(doc);
  rules.items = rules.items.filter((item) => !(isMap(item) && item.get('alert') === name));
  return rules.items.length === 0 ? undefined : doc.toString({ lineWidth: 0 });
}

/** The text of one rule alone, to be put into a file. */
export function ruleText(draft: RuleDraft): string {
  const doc = emptyGroup(draft.name || 'group');
  const rules = rulesIn(doc);
  rules.add(doc.createNode(ruleOf(draft)));
  return doc.toString({ lineWidth: 0 });
}

/** The draft of a rule in a group's text, with its expression as it was written. */
export function draftIn(text: string, name: string): RuleDraft | undefined {
  const found = rulesIn(parseDocument(text)).items.find((item) => isMap(item) && item.get('alert') === name);
  if (!isMap(found)) return undefined;
  const rule = found.toJSON() as Record<string, unknown>;
  return draftOf({
    name,
    expr: textOf(rule.expr).trim(),
    for: textOf(rule.for),
    keepFiringFor: textOf(rule.keep_firing_for),
    labels: textsOf(rule.labels),
    annotations: textsOf(rule.annotations),
  });
}

const emptyGroup = (name: string): Document => new Document({ groups: [{ name, rules: [] }] });

function rulesIn(doc: Document): YAMLSeq {
  const [error] = doc.errors;
  if (error) throw new Error(`the group cannot be read: ${error.message}`);
  const rules = doc.getIn(['groups', 0, 'rules']);
  if (!isSeq(rules)) throw new Error('the group has no rules');
  return rules;
}

function plain(map: YAMLMap, key: string): unknown {
  const node = map.get(key);
  return isMap(node) ? node.toJSON() : node;
}

const textOf = (value: unknown): string => (value === undefined || value === null ? '' : String(value));

const textsOf = (value: unknown): Labels =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, textOf(v)]))
    : {};
