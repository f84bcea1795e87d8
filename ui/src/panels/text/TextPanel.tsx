import { useMemo } from 'react';
import { interpolate, textFormat } from '../../model/interpolate';
import { asString } from '../../model/json';
import type { PanelProps } from '../types';
import { toSafeHtml } from './markdown';
import styles from './TextPanel.module.css';

export default function TextPanel({ panel, scope }: PanelProps) {
  const mode = asString(panel.options.mode, 'markdown');
  const content = interpolate(asString(panel.options.content, ''), scope, textFormat);
  const html = useMemo(() => (mode === 'code' ? '' : toSafeHtml(content, mode)), [content, mode]);
  if (mode === 'code') return <pre className={styles.code}>{content}</pre>;
  return <div className={styles.text} dangerouslySetInnerHTML={{ __html: html }} />;
}
