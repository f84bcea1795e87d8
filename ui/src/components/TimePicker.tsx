import { ActionIcon, Button, Group, Menu, Popover, Select, Stack, TextInput, Tooltip } from '@mantine/core';
import { IconChevronLeft, IconChevronRight, IconClock, IconRefresh, IconZoomOut } from '@tabler/icons-react';
import { useState } from 'react';
import type { TimeState } from '../app/timeRange';
import {
  describeRange,
  formatInstant,
  isRelative,
  pan,
  parseInstant,
  resolveRange,
  zoomOut,
} from '../model/time';
import styles from './TimePicker.module.css';

const quickRanges = [
  ['now-5m', 'Last 5 minutes'],
  ['now-15m', 'Last 15 minutes'],
  ['now-30m', 'Last 30 minutes'],
  ['now-1h', 'Last hour'],
  ['now-3h', 'Last 3 hours'],
  ['now-6h', 'Last 6 hours'],
  ['now-12h', 'Last 12 hours'],
  ['now-24h', 'Last 24 hours'],
  ['now/d', 'Today'],
  ['now-2d', 'Last 2 days'],
  ['now-7d', 'Last 7 days'],
  ['now-30d', 'Last 30 days'],
  ['now-90d', 'Last 90 days'],
] as const;

const refreshChoices = ['', '2s', '5s', '10s', '30s', '1m', '5m', '15m'];
const zones = [
  'browser',
  'utc',
  'Asia/Bangkok',
  'Asia/Ho_Chi_Minh',
  'Asia/Singapore',
  'Asia/Tokyo',
  'Europe/Berlin',
  'Europe/London',
  'America/New_York',
];

/** The time range of a page, its time zone, and how often it is asked again. */
export function TimePicker({ time }: { time: TimeState }) {
  const { range, zone, refresh, setRange, setRefresh, refreshNow } = time;
  const [open, setOpen] = useState(false);
  const relative = isRelative(range.raw);
  return (
    <Group gap={4} wrap="nowrap">
      <Tooltip label="Earlier">
        <ActionIcon className={styles.wide} onClick={() => setRange(pan(range, -1))} aria-label="Earlier">
          <IconChevronLeft size={16} />
        </ActionIcon>
      </Tooltip>
      <Popover opened={open} onChange={setOpen} position="bottom-end" trapFocus returnFocus shadow="lg">
        <Popover.Target>
          <Button
            variant="default"
            leftSection={<IconClock size={15} />}
            onClick={() => setOpen(!open)}
            aria-label={`Time range: ${describeRange(range.raw, zone)}`}
          >
            <span className="numeric">{describeRange(range.raw, zone)}</span>
          </Button>
        </Popover.Target>
        <Popover.Dropdown>{open && <RangeForm time={time} onDone={() => setOpen(false)} />}</Popover.Dropdown>
      </Popover>
      <Tooltip label="Later">
        <ActionIcon
          className={styles.wide}
          onClick={() => setRange(pan(range, 1))}
          disabled={relative}
          aria-label="Later"
        >
          <IconChevronRight size={16} />
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Zoom out (Ctrl Z)">
        <ActionIcon
          className={styles.wide}
          onClick={() => setRange(zoomOut(range, Date.now()))}
          aria-label="Zoom out"
        >
          <IconZoomOut size={16} />
        </ActionIcon>
      </Tooltip>
      <Button.Group>
        <Tooltip label="Refresh (R)">
          <Button variant="default" px={8} onClick={refreshNow} aria-label="Refresh">
            <IconRefresh size={15} />
          </Button>
        </Tooltip>
        <Menu position="bottom-end" width={110}>
          <Menu.Target>
            <Button variant="default" px={8} aria-label={`Refresh every ${refresh || 'Off'}`}>
              <span className="numeric">{refresh || 'Off'}</span>
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            {refreshChoices.map((choice) => (
              <Menu.Item key={choice} onClick={() => setRefresh(choice)} aria-current={choice === refresh}>
                {choice || 'Off'}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      </Button.Group>
    </Group>
  );
}

function RangeForm({ time, onDone }: { time: TimeState; onDone: () => void }) {
  const { range, zone, setRange, setZone } = time;
  const show = (text: string) => (/^\d{10,}$/.test(text) ? formatInstant(Number(text), zone) : text);
  const [from, setFrom] = useState(show(range.raw.from));
  const [to, setTo] = useState(show(range.raw.to));
  const read = (text: string, end: boolean) => parseInstant(text, Date.now(), end, zone);
  const wrong = read(from, false) === undefined || read(to, true) === undefined;
  const empty = !wrong && !resolveRange({ from, to }, Date.now(), zone);
  const apply = () => {
    const exact = (text: string, end: boolean) =>
      text.includes('now') ? text.trim() : String(read(text, end));
    setRange({ from: exact(from, false), to: exact(to, true) });
    onDone();
  };
  return (
    <div className={styles.form}>
      <Stack
        gap={8}
        component="form"
        onSubmit={(e) => {
          (e as unknown as Event).preventDefault();
          if (!wrong && !empty) apply();
        }}
      >
        <TextInput
          label="From"
          value={from}
          onChange={(e) => setFrom(e.currentTarget.value)}
          error={read(from, false) === undefined}
          data-autofocus
        />
        <TextInput
          label="To"
          value={to}
          onChange={(e) => setTo(e.currentTarget.value)}
          error={
            read(to, true) === undefined
              ? 'now-6h, or 2026-05-17 14:00'
              : empty
                ? 'ends before it begins'
                : undefined
          }
        />
        <Button type="submit" disabled={wrong || empty}>
          Show
        </Button>
        <Select
          label="Time zone"
          data={zones.includes(zone) ? zones : [...zones, zone]}
          value={zone}
          onChange={(value) => value && setZone(value)}
          comboboxProps={{ withinPortal: false }}
        />
      </Stack>
      <div className={styles.quick}>
        {quickRanges.map(([value, label]) => (
          <button
            key={value}
            type="button"
            aria-pressed={range.raw.from === value}
            onClick={() => {
              setRange({ from: value, to: value === 'now/d' ? 'now/d' : 'now' });
              onDone();
            }}
          >
            {label}
          </button>
        ))}
      </div>
    </div>
  );
}
