import { lazy, Suspense } from 'react';
import styles from './PromQLEditor.module.css';

export interface PromQLEditorProps {
  value: string;
  onChange: (value: string) => void;
  /** Enter; a new line is Shift Enter. */
  onRun?: () => void;
  label?: string;
  placeholder?: string;
  readOnly?: boolean;
}

const Editor = lazy(() => import('./promql/CodeEditor'));

/** A field for PromQL with completion and errors. The editor is loaded when one is needed. */
export function PromQLEditor(props: PromQLEditorProps) {
  const waiting = (
    <textarea
      className={styles.waiting}
      value={props.value}
      onChange={(e) => props.onChange(e.target.value)}
      aria-label={props.label ?? 'PromQL'}
      rows={1}
    />
  );
  return (
    <Suspense fallback={waiting}>
      <Editor {...props} />
    </Suspense>
  );
}
