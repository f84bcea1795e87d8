import { ActionIcon, Button, Checkbox, Select, TextInput, Tooltip } from '@mantine/core';
import { IconEye, IconEyeOff, IconPlus, IconTrash } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { messageOf } from '../../../api';
import { PromQLEditor } from '../../../components/PromQLEditor';
import { refIdAt, type Panel, type Target } from '../../../model/dashboard';
import { asObjects, type JsonObject } from '../../../model/json';
import type { PanelState } from '../../../panels/usePanelData';
import type { Edit } from './PanelEditor';
import styles from './PanelEditor.module.css';

const settleMs = 600;

export function Queries({ panel, edit, data }: { panel: Panel; edit: Edit; data?: PanelState }) {
  const raw = asObjects(edit.raw.targets);
  const add = () => {
    const used = new Set(panel.targets.map((t) => t.refId));
    let i = 0;
    while (used.has(refIdAt(i))) i++;
    edit.set(['targets'], [...raw, { refId: refIdAt(i), expr: '' }]);
  };
  return (
    <div>
      {panel.targets.map((target, i) => (
        <Query
          key={target.refId}
          target={target}
          graph={panel.type === 'timeseries'}
          error={
            data?.data?.errors.find((e) => e.refId === target.refId)?.error ??
            (panel.targets.length === 1 ? data?.error : undefined)
          }
          onChange={(patch) => edit.set(['targets', i], { ...raw[i], ...patch })}
          onRemove={() =>
            edit.set(
              ['targets'],
              raw.filter((_, j) => j !== i),
            )
          }
        />
      ))}
      <Button mt={10} variant="light" leftSection={<IconPlus size={14} />} onClick={add}>
        Query
      </Button>
      <div className={styles.queryOptions}>
        <TextInput
          label="Least step of all queries"
          placeholder="The scrape interval"
          value={panel.interval}
          onChange={(e) => edit.set(['interval'], e.currentTarget.value || undefined)}
        />
      </div>
    </div>
  );
}

interface QueryProps {
  target: Target;
  /** The panel draws lines over time. */
  graph: boolean;
  error: unknown;
  onChange: (patch: JsonObject) => void;
  onRemove: () => void;
}

function Query({ target, graph, error, onChange, onRemove }: QueryProps) {
  const [expr, setExpr] = useState(target.expr);
  useEffect(() => setExpr(target.expr), [target.expr]);
  // Asked when the typing pauses: each key would be a query of its own.
  useEffect(() => {
    if (expr === target.expr) return;
    const timer = setTimeout(() => onChange({ expr }), settleMs);
    return () => clearTimeout(timer);
  }, [expr, target.expr, onChange]);
  return (
    <div className={styles.query}>
      <div className={styles.queryHead}>
        <span className={styles.refId}>{target.refId}</span>
        {target.foreign && <span className={styles.note}>asks {target.foreign}: not answered here</span>}
        <Tooltip label={target.hide ? 'Show' : 'Hide'}>
          <ActionIcon
            ml="auto"
            size="sm"
            aria-label={`${target.hide ? 'Show' : 'Hide'} query ${target.refId}`}
            onClick={() => onChange({ hide: !target.hide })}
          >
            {target.hide ? <IconEyeOff size={15} /> : <IconEye size={15} />}
          </ActionIcon>
        </Tooltip>
        <ActionIcon size="sm" aria-label={`Remove query ${target.refId}`} onClick={onRemove}>
          <IconTrash size={15} />
        </ActionIcon>
      </div>
      <PromQLEditor
        value={expr}
        onChange={setExpr}
        onRun={() => onChange({ expr })}
        label={`Query ${target.refId}`}
        placeholder="rate(http_requests_total[$__rate_interval])"
      />
      {error !== undefined && error !== null && (
        <div className={styles.error} role="alert">
          {messageOf(error)}
        </div>
      )}
      <div className={styles.queryOptions}>
        <TextInput
          label="Legend"
          placeholder="{{instance}}, or __auto"
          value={target.legendFormat}
          onChange={(e) => onChange({ legendFormat: e.currentTarget.value })}
        />
        <Select
          label="Format"
          data={[
            { value: 'time_series', label: 'Series' },
            { value: 'table', label: 'Table' },
            { value: 'heatmap', label: 'Heatmap' },
          ]}
          value={target.format}
          onChange={(format) => format && onChange({ format })}
        />
        <Select
          label="Type"
          data={[
            { value: 'range', label: 'Range' },
            { value: 'instant', label: 'Instant' },
            { value: 'both', label: 'Both' },
          ]}
          value={target.instant ? (target.range ? 'both' : 'instant') : 'range'}
          onChange={(type) => onChange({ instant: type !== 'range', range: type !== 'instant' })}
        />
        <TextInput
          label="Least step"
          placeholder="auto"
          value={target.interval}
          onChange={(e) => onChange({ interval: e.currentTarget.value })}
        />
        {graph && (
          <Checkbox
            label="Exemplars"
            checked={target.exemplar}
            onChange={(e) => onChange({ exemplar: e.currentTarget.checked })}
          />
        )}
      </div>
    </div>
  );
}
