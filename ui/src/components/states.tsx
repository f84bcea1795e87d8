import { Button, Loader } from '@mantine/core';
import { useTimeout } from '@mantine/hooks';
import { IconAlertTriangle, IconMoodEmpty } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import styles from './states.module.css';

interface StateProps {
  title: string;
  message?: ReactNode;
  action?: ReactNode;
  icon?: ReactNode;
}

/** There is nothing to show, and that is no error. Says what to do about it. */
export function EmptyState({ title, message, action, icon }: StateProps) {
  return (
    <div className={styles.state}>
      <div className={styles.icon}>{icon ?? <IconMoodEmpty size={28} stroke={1.4} />}</div>
      <div className={styles.title}>{title}</div>
      {message && <div className={styles.message}>{message}</div>}
      {action}
    </div>
  );
}

export function ErrorState({ title, message, onRetry }: StateProps & { onRetry?: () => void }) {
  return (
    <div className={styles.state} role="alert">
      <div className={`${styles.icon} ${styles.bad}`}>
        <IconAlertTriangle size={28} stroke={1.4} />
      </div>
      <div className={styles.title}>{title}</div>
      {message && <div className={`${styles.message} ${styles.detail}`}>{message}</div>}
      {onRetry && (
        <Button variant="default" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Shows nothing for the first 300 ms: most answers come faster, and a flash is worse. */
export function LoadingState({ label = 'Loading' }: { label?: string }) {
  const [slow, setSlow] = useState(false);
  useTimeout(() => setSlow(true), 300, { autoInvoke: true });
  return (
    <div className={styles.state} role="status" aria-label={label}>
      {slow && <Loader size="sm" type="dots" />}
    </div>
  );
}
