import type { ReactNode } from 'react';
import page from './page.module.css';
import { EmptyState } from './states';

interface Props {
  title: string;
  message: ReactNode;
  /** What to add to hedgewatch.yml. */
  yaml: string;
  icon?: ReactNode;
}

/** A part that is not configured: what it is good for, and how to get it. */
export function HowTo({ title, message, yaml, icon }: Props) {
  return (
    <EmptyState
      icon={icon}
      title={title}
      message={message}
      action={
        <pre
          className={page.pre}
          style={{ textAlign: 'left' }}
          tabIndex={0}
          aria-label="Example configuration"
        >
          {yaml}
        </pre>
      }
    />
  );
}
