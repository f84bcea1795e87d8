import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { messageOf } from '../api';
import { formatClock } from '../model/time';
import styles from './page.module.css';
import { ErrorState, LoadingState } from './states';

interface Props<T> {
  query: UseQueryResult<T>;
  /** What is asked for, for the sentence about a failure: "Alerts". */
  what: string;
  children: (data: T) => ReactNode;
}

/** The states of an answer: not yet there, failed, there, and there but old. */
export function Answer<T>({ query, what, children }: Props<T>) {
  if (query.data === undefined) {
    if (query.isError)
      return (
        <ErrorState
          title={`${what} cannot be read`}
          message={messageOf(query.error)}
          onRetry={() => void query.refetch()}
        />
      );
    return <LoadingState />;
  }
  return (
    <>
      {query.isError && (
        <div className={styles.stale} role="status">
          {what} as of {formatClock(query.dataUpdatedAt, 'browser')}: {messageOf(query.error)}
        </div>
      )}
      {children(query.data)}
    </>
  );
}
