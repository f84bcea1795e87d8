import styles from './DiffView.module.css';

const kinds: Record<string, string | undefined> = {
  '+': styles.added,
  '-': styles.removed,
  '@': styles.hunk,
};

/** A unified diff; the names of the files above it are left out. */
export function DiffView({ diff }: { diff: string }) {
  const lines = diff.replace(/\n$/, '').split('\n').slice(2);
  return (
    <pre className={styles.diff} aria-label="Diff" tabIndex={0}>
      {lines.map((line, i) => (
        // Lines of a diff have no identity but their place.
        <div key={i} className={kinds[line[0] ?? '']}>
          {line.replace(/\r$/, '') || ' '}
        </div>
      ))}
    </pre>
  );
}
