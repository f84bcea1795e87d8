import { Autocomplete } from '@mantine/core';
import { commonDurations, durationError } from './durations';

interface Props {
  label: string;
  value: string;
  onChange: (value: string) => void;
  description?: string;
  /** What it means if it is empty; without it, it must not be. */
  empty?: string;
}

export function DurationField({ label, value, onChange, description, empty }: Props) {
  const wrong = empty !== undefined && /^(0s?)?$/.test(value.trim()) ? undefined : durationError(value);
  return (
    <Autocomplete
      size="xs"
      label={label}
      description={description}
      value={value}
      onChange={onChange}
      data={commonDurations}
      filter={({ options }) => options}
      error={wrong}
      placeholder={empty}
    />
  );
}
