import { lazy, Suspense, useId } from 'react';
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

export interface CodeEditorProps extends PromQLEditorProps {
  /** The field that was there while this was loaded: somebody may be typing in it. */
  waitingId: string;
}

const Editor = lazy(() => import('./promql/CodeEditor'));

/** A field for PromQL with completion and errors. The editor is loaded when one is needed. */
export function PromQLEditor(props: PromQLEditorProps) {
  const id = useId();
  const waiting = (
    <textarea
      id={id}
      className={styles.waiting}
      value={props.value}
      onChange={(e) => props.onChange(e.target.value)}
      aria-label={props.label ?? 'PromQL'}
      rows={1}
    />
  );
  return (
    <Suspense fallback={waiting}>
      <Editor {...props} waitingId={id} />
    </Suspense>
  );
}
