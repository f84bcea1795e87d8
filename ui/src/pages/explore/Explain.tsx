import { ActionIcon, Tooltip } from '@mantine/core';
import { IconArrowUpRight } from '@tabler/icons-react';
import { useQueries } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { messageOf } from '../../api';
import type { QueryAnswer } from '../../api/prometheus';
import { useApi } from '../../app/context';
import { partsOf } from '../../components/threshold/expression';
import page from '../../components/page.module.css';
import styles from './Explore.module.css';

const maxParts = 20;

/** The parts of a query with what each has as a result: where an empty one comes from. */
export function Explain({ expr, at, onPick }: { expr: string; at: number; onPick: (expr: string) => void }) {
  const [open, setOpen] = useState(false);
  const parts = useMemo(() => partsOf(expr).slice(0, maxParts), [expr]);
  if (parts.length < 2) return null;
  return (
    <details className={page.card} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary className={styles.summary}>
        The parts of <code>{expr}</code>
      </summary>
      {open && <Parts parts={parts} at={at} onPick={onPick} />}
    </details>
  );
}

interface PartsProps {
  parts: ReturnType<typeof partsOf>;
  at: number;
  onPick: (expr: string) => void;
}

function Parts({ parts, at, onPick }: PartsProps) {
  const { prometheus } = useApi();
  const answers = useQueries({
    queries: parts.map(({ text, kind }) => ({
      queryKey: ['explain', text, at],
      queryFn: async ({ signal }: { signal: AbortSignal }) =>
        // Samples of a range are counted by what they are taken from.
        countOf(await prometheus.query(kind === 'range' ? withoutRange(text) : text, at / 1000, signal)),
    })),
  });
  return (
    <ol className={styles.parts}>
      {parts.map(({ depth, text, kind }, i) => {
        const answer = answers[i];
        return (
          <li key={`${i} ${text}`} style={{ paddingLeft: 10 + depth * 18 }}>
            <code>{text}</code>
            <span className={page.note}>{kind}</span>
            <span className={styles.count} data-empty={answer?.data === 0 || undefined}>
              {answer?.isError
                ? messageOf(answer.error)
                : answer?.data === undefined
                  ? '…'
                  : words(answer.data)}
            </span>
            {kind !== 'range' && (
              <Tooltip label="Ask this alone">
                <ActionIcon size={24} onClick={() => onPick(text)} aria-label={`Ask ${text} alone`}>
                  <IconArrowUpRight size={15} />
                </ActionIcon>
              </Tooltip>
            )}
          </li>
        );
      })}
    </ol>
  );
}

const withoutRange = (text: string): string => text.replace(/\[[^\]]*\]/, '');

const words = (count: number): string =>
  count === 0 ? 'empty' : count === 1 ? 'one series' : `${count} series`;

const countOf = ({ data }: QueryAnswer): number =>
  data.resultType === 'vector' || data.resultType === 'matrix' ? data.result.length : 1;
