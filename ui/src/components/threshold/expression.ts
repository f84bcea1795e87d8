import { parser } from '@prometheus-io/lezer-promql';
import type { SyntaxNode } from '@lezer/common';

export type Comparison = '>' | '<' | '>=' | '<=' | '==' | '!=';
export const comparisons: Comparison[] = ['>', '>=', '<', '<=', '==', '!='];

/** A condition of the simplest kind: what is looked at, and the number that it is compared with. */
export interface Condition {
  query: string;
  op: Comparison;
  value: number;
}

const names: Record<string, Comparison> = {
  Gtr: '>',
  Gte: '>=',
  Lss: '<',
  Lte: '<=',
  Eql: '==',
  Neq: '!=',
};
const turned: Record<Comparison, Comparison> = {
  '>': '<',
  '<': '>',
  '>=': '<=',
  '<=': '>=',
  '==': '==',
  '!=': '!=',
};

/** Undefined if the expression is no comparison with a number, or none that filters. */
export function splitCondition(expr: string): Condition | undefined {
  let node: SyntaxNode | null = parser.parse(expr).topNode.firstChild;
  while (node?.name === 'ParenExpr') node = inside(node);
  if (node?.name !== 'BinaryExpr' || node.getChild('BoolModifier') || hasError(node)) return undefined;
  const parts = children(node);
  const operator = parts.find((p) => names[p.name]);
  const left = parts[0];
  const right = parts.at(-1);
  if (!operator || !left || !right || left === right) return undefined;
  const op = names[operator.name] as Comparison;
  const value = numberOf(expr.slice(right.from, right.to));
  if (value !== undefined) return { query: expr.slice(left.from, left.to), op, value };
  const first = numberOf(expr.slice(left.from, left.to));
  if (first === undefined) return undefined;
  return { query: expr.slice(right.from, right.to), op: turned[op], value: first };
}

/** Whether an expression can be asked for at all: half-typed ones cannot. */
export function isComplete(expr: string): boolean {
  return expr.trim() !== '' && !hasError(parser.parse(expr).topNode);
}

/** The expression of a condition; the query gets parentheses where it would be read otherwise. */
export function joinCondition({ query, op, value }: Condition): string {
  const node = parser.parse(query).topNode.firstChild;
  const loose =
    node?.name === 'BinaryExpr' &&
    children(node).some((p) => names[p.name] || ['And', 'Or', 'Unless'].includes(p.name));
  return `${loose ? `(${query.trim()})` : query.trim()} ${op} ${value}`;
}

/** The parts that an expression is made of, the whole first: each can be looked at alone. */
export function partsOf(expr: string): { depth: number; text: string; kind: string }[] {
  const parts: { depth: number; text: string; kind: string }[] = [];
  const visit = (node: SyntaxNode, depth: number) => {
    const kind = kinds[node.name];
    if (kind) parts.push({ depth, text: expr.slice(node.from, node.to), kind });
    for (const child of children(node)) visit(child, kind ? depth + 1 : depth);
  };
  const root = parser.parse(expr).topNode;
  if (!hasError(root)) visit(root, 0);
  return parts.slice(0, 60);
}

const kinds: Record<string, string> = {
  BinaryExpr: 'operation',
  AggregateExpr: 'aggregation',
  FunctionCall: 'function',
  VectorSelector: 'selector',
  MatrixSelector: 'range',
  SubqueryExpr: 'subquery',
};

/** A number, also one with a sign or a name. */
function numberOf(text: string): number | undefined {
  const plain = text.replace(/[()\s_]/g, '');
  if (/^[-+]?inf$/i.test(plain)) return plain.startsWith('-') ? -Infinity : Infinity;
  return /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$|^[-+]?0x[0-9a-f]+$/i.test(plain) ? Number(plain) : undefined;
}

function children(node: SyntaxNode): SyntaxNode[] {
  const all: SyntaxNode[] = [];
  for (let child = node.firstChild; child; child = child.nextSibling) all.push(child);
  return all;
}

function inside(node: SyntaxNode): SyntaxNode | null {
  return children(node).find((c) => /Expr|Selector|Call|Literal/.test(c.name)) ?? null;
}

function hasError(node: SyntaxNode): boolean {
  return node.type.isError || children(node).some(hasError);
}
