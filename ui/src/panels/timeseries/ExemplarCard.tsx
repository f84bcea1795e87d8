import { Popover } from '@mantine/core';
import { safeHref } from '../../components/href';
import type { Link } from '../../model/dashboard';
import { exemplarLinks, type Exemplar } from '../../model/exemplars';
import type { Scope } from '../../model/interpolate';
import { seriesName } from '../../model/frame';
import { formatInstant, type TimeZone } from '../../model/time';
import { formatText } from '../../units';
import styles from './ExemplarCard.module.css';

interface Props {
  exemplar: Exemplar;
  /** Where it is drawn, in the panel. */
  left: number;
  top: number;
  unit?: string;
  links: Link[];
  scope: Scope;
  zone: TimeZone;
  onClose: () => void;
}

/** An exemplar that stays open, so that its labels can be copied and its links followed. */
export function ExemplarCard({ exemplar, left, top, unit, links, scope, zone, onClose }: Props) {
  const rows: [string, string][] = [
    ['Value', formatText(exemplar.value, unit)],
    ['Time', formatInstant(exemplar.time, zone, true)],
    ...Object.entries(exemplar.labels),
    ['Series', seriesName(exemplar.series)],
  ];
  const shown = exemplarLinks(links, exemplar, scope).flatMap((link) => {
    const href = safeHref(link.url);
    return href === undefined ? [] : [{ ...link, href }];
  });
  return (
    <Popover opened onDismiss={onClose} withArrow trapFocus withRoles={false} position="top" width={380}>
      <Popover.Target>
        <span className={styles.anchor} style={{ left, top }} />
      </Popover.Target>
      <Popover.Dropdown role="dialog" aria-label="Exemplar" onDoubleClick={(e) => e.stopPropagation()}>
        <dl className={styles.rows} tabIndex={-1} data-autofocus>
          {rows.map(([name, value]) => (
            <div key={name} className={styles.row}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        {shown.map((link) => (
          <a
            key={link.href}
            className={styles.link}
            href={link.href}
            target={link.newTab ? '_blank' : undefined}
            rel="noreferrer"
          >
            {link.title || link.href}
          </a>
        ))}
      </Popover.Dropdown>
    </Popover>
  );
}
