import type { Change } from '../../../model/diff';
import styles from './Changes.module.css';

const maxShown = 100;

/** What differs, line by line: the place, what was, what is. */
export function Changes({ changes }: { changes: Change[] }) {
  if (changes.length === 0) return <p className={styles.none}>No differences.</p>;
  return (
    <div className={styles.changes}>
      {changes.slice(0, maxShown).map(({ path, before, after }) => (
        <div key={path} className={styles.change}>
          <div className={styles.path}>{path}</div>
          {before !== undefined && <del>{before}</del>}
          {after !== undefined && <ins>{after}</ins>}
        </div>
      ))}
      {changes.length > maxShown && <p className={styles.none}>and {changes.length - maxShown} more</p>}
    </div>
  );
}
