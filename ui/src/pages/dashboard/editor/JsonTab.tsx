import { Button, Textarea } from '@mantine/core';
import { useEffect, useState } from 'react';
import { messageOf } from '../../../api';
import { isObject, type JsonObject } from '../../../model/json';
import styles from './PanelEditor.module.css';

/** The JSON of one object, to be changed as text. Nothing broken gets out. */
export function JsonTab({
  raw,
  onChange,
  rows = 18,
}: {
  raw: JsonObject;
  onChange: (raw: JsonObject) => void;
  rows?: number;
}) {
  const [text, setText] = useState(() => JSON.stringify(raw, null, 2));
  const [error, setError] = useState<string>();
  useEffect(() => setText(JSON.stringify(raw, null, 2)), [raw]);
  const apply = () => {
    try {
      const value: unknown = JSON.parse(text);
      if (!isObject(value)) throw new Error('this must be a JSON object');
      setError(undefined);
      onChange(value);
    } catch (failure) {
      setError(messageOf(failure));
    }
  };
  return (
    <div>
      <Textarea
        mt={10}
        aria-label="JSON"
        rows={rows}
        spellCheck={false}
        value={text}
        onChange={(e) => setText(e.currentTarget.value)}
        styles={{ input: { fontFamily: 'var(--hw-mono)', fontSize: 12 } }}
      />
      {error && <div className={styles.error}>{error}</div>}
      <Button mt={8} variant="light" onClick={apply}>
        Apply
      </Button>
    </div>
  );
}
