import { IconFileText, IconPuzzle } from '@tabler/icons-react';
import { EmptyState } from '../../components/states';
import type { PanelProps } from '../types';

/** A panel of a type that we cannot draw. Its JSON stays as it is. */
export function UnknownPanel({ panel }: PanelProps) {
  return (
    <EmptyState
      icon={<IconPuzzle size={28} stroke={1.4} />}
      title={`“${panel.type || 'no type'}” cannot be drawn here`}
      message="The panel is kept as it is, and works where the dashboard came from."
    />
  );
}

/** hedgewatch keeps metrics, not logs. */
export function LogsPanel() {
  return (
    <EmptyState
      icon={<IconFileText size={28} stroke={1.4} />}
      title="Logs live elsewhere"
      message="hedgewatch stores metrics only. The panel is kept, and shows its logs in Grafana."
    />
  );
}
