import { ActionIcon, Button, Checkbox, SegmentedControl, Select, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { DurationField } from '../../components/alerting/DurationField';
import { PromQLEditor } from '../../components/PromQLEditor';
import { comparisons, splitCondition, type Comparison } from '../../components/threshold/expression';
import { exprOf, type NoData, type RuleDraft } from './draft';
import styles from './Rules.module.css';

interface Props {
  draft: RuleDraft;
  onChange: (patch: Partial<RuleDraft>) => void;
}

/** The fields of an alerting rule. */
export function RuleForm({ draft, onChange }: Props) {
  return (
    <>
      <TextInput
        label="Name"
        placeholder="KlineLagHigh"
        value={draft.name}
        onChange={(e) => onChange({ name: e.currentTarget.value })}
      />
      <Condition draft={draft} onChange={onChange} />
      <DurationField
        label="For"
        description="How long it has to hold before anybody is told."
        value={draft.for}
        onChange={(value) => onChange({ for: value })}
        empty="at once"
      />
      <TextInput
        label="Summary"
        placeholder="Klines of {{ $labels.symbol }} are {{ $value }} s old"
        value={draft.summary}
        onChange={(e) => onChange({ summary: e.currentTarget.value })}
      />
      <TextInput
        label="Description"
        value={draft.description}
        onChange={(e) => onChange({ description: e.currentTarget.value })}
      />
      <Pairs title="Labels" pairs={draft.labels} onChange={(labels) => onChange({ labels })} />
      <Pairs
        title="More annotations"
        pairs={draft.annotations}
        onChange={(annotations) => onChange({ annotations })}
      />
      <Select
        label="When the data is gone"
        value={draft.noData}
        onChange={(value) => value && onChange({ noData: value as NoData })}
        data={[
          { value: 'ok', label: 'the alert ends, as in Prometheus' },
          { value: 'keep', label: 'an alert that fires goes on firing' },
          { value: 'fire', label: 'it goes on, and missing data is an alert, too' },
        ]}
      />
      <TextInput
        label="Ends only when"
        description="PromQL; empty: when the condition does not hold any more."
        placeholder={draft.query ? `${draft.query} < …` : ''}
        value={draft.recovery}
        onChange={(e) => onChange({ recovery: e.currentTarget.value })}
        styles={{ input: { fontFamily: 'var(--hw-mono)' } }}
      />
      <DurationField
        label="And fires on for"
        value={draft.keepFiringFor}
        onChange={(keepFiringFor) => onChange({ keepFiringFor })}
        empty="no longer"
      />
      <Checkbox
        size="xs"
        label="Hold it while it flaps"
        checked={draft.flapping}
        onChange={(e) => onChange({ flapping: e.currentTarget.checked })}
      />
    </>
  );
}

function Condition({ draft, onChange }: Props) {
  const choose = (kind: string) => {
    if (kind === 'expression') return onChange({ kind, expr: exprOf(draft) });
    const condition = splitCondition(draft.expr);
    const { query = draft.expr, op = draft.op } = condition ?? {};
    onChange({ kind: 'threshold', query, op, value: condition ? String(condition.value) : draft.value });
  };
  return (
    <div>
      <SegmentedControl
        size="xs"
        fullWidth
        mb={8}
        aria-label="Condition"
        value={draft.kind}
        onChange={choose}
        data={[
          { value: 'threshold', label: 'Query and threshold' },
          { value: 'expression', label: 'Expression' },
        ]}
      />
      {draft.kind === 'expression' ? (
        <PromQLEditor
          label="Expression"
          value={draft.expr}
          onChange={(expr) => onChange({ expr })}
          placeholder='absent(up{job="feed"})'
        />
      ) : (
        <>
          <PromQLEditor
            label="Query"
            value={draft.query}
            onChange={(query) => onChange({ query })}
            placeholder="kline_lag_seconds"
          />
          <div className={styles.threshold} style={{ marginTop: 8 }}>
            <Select
              aria-label="Comparison"
              value={draft.op}
              onChange={(op) => op && onChange({ op: op as Comparison })}
              data={comparisons.map((op) => ({ value: op, label: `is ${op}` }))}
            />
            <TextInput
              aria-label="Threshold value"
              placeholder="60"
              value={draft.value}
              onChange={(e) => onChange({ value: e.currentTarget.value })}
              error={draft.value.trim() !== '' && Number.isNaN(Number(draft.value)) ? 'a number' : undefined}
            />
          </div>
        </>
      )}
    </div>
  );
}

interface PairsProps {
  title: string;
  pairs: [string, string][];
  onChange: (pairs: [string, string][]) => void;
}

function Pairs({ title, pairs, onChange }: PairsProps) {
  const set = (index: number, pair: [string, string]) =>
    onChange(pairs.map((old, i) => (i === index ? pair : old)));
  return (
    <div role="group" aria-label={title}>
      <div className={styles.fieldLabel}>{title}</div>
      {pairs.map(([name, value], i) => (
        // A pair has no identity but its place: its name is being typed.
        <div key={i} className={styles.pair}>
          <TextInput
            aria-label={`Name ${i + 1} of ${title}`}
            value={name}
            onChange={(e) => set(i, [e.currentTarget.value, value])}
          />
          <TextInput
            aria-label={`Value ${i + 1} of ${title}`}
            value={value}
            onChange={(e) => set(i, [name, e.currentTarget.value])}
          />
          <ActionIcon
            onClick={() => onChange(pairs.filter((_, at) => at !== i))}
            aria-label={`Remove ${name || 'this'}`}
          >
            <IconTrash size={15} />
          </ActionIcon>
        </div>
      ))}
      <Button
        variant="subtle"
        size="compact-xs"
        mt={6}
        leftSection={<IconPlus size={13} />}
        onClick={() => onChange([...pairs, ['', '']])}
      >
        Add
      </Button>
    </div>
  );
}
