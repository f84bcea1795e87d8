import { ActionIcon } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconTrash } from '@tabler/icons-react';
import { interpolate, textFormat, type Scope } from '../../model/interpolate';
import type { Placed } from '../../model/layout';
import styles from './RowHeader.module.css';

interface Props {
  item: Placed;
  scope: Scope;
  onToggle: () => void;
  onRemove?: () => void;
}

export function RowHeader({ item: { panel, repeats }, scope, onToggle, onRemove }: Props) {
  const own = { ...scope, extra: { ...scope.extra, ...repeats } };
  const Icon = panel.collapsed ? IconChevronRight : IconChevronDown;
  return (
    <div className={styles.row}>
      <button type="button" className={styles.toggle} onClick={onToggle} aria-expanded={!panel.collapsed}>
        <Icon size={16} />
        <span>{interpolate(panel.title, own, textFormat) || 'Row'}</span>
        {panel.collapsed && panel.panels.length > 0 && (
          <span className={styles.count}>{panel.panels.length}</span>
        )}
      </button>
      {onRemove && (
        <ActionIcon size="sm" onClick={onRemove} aria-label={`Remove the row ${panel.title}`}>
          <IconTrash size={14} />
        </ActionIcon>
      )}
    </div>
  );
}
