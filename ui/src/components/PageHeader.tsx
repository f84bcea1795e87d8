import { useDocumentTitle } from '@mantine/hooks';
import type { ReactNode } from 'react';
import styles from './PageHeader.module.css';

interface Props {
  title: ReactNode;
  /** For the browser's tab, when the title is more than text. */
  documentTitle?: string;
  subtitle?: ReactNode;
  /** Controls of the page: time range, buttons. */
  children?: ReactNode;
}

/** The head of every page; stays in view when the page scrolls. */
export function PageHeader({ title, documentTitle, subtitle, children }: Props) {
  const text = documentTitle ?? (typeof title === 'string' ? title : '');
  useDocumentTitle(text ? `${text} · hedgewatch` : 'hedgewatch');
  return (
    <header className={styles.header}>
      <div className={styles.titles}>
        <h1 className={styles.title}>{title}</h1>
        {subtitle && <div className={styles.subtitle}>{subtitle}</div>}
      </div>
      <div className={styles.controls}>{children}</div>
    </header>
  );
}
