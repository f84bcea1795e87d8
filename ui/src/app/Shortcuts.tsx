import { Kbd, Modal } from '@mantine/core';
import { IconKeyboard } from '@tabler/icons-react';
import { useEffect, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { useCommands, type Command } from './commands';
import { routes } from './routes';
import styles from './Shortcuts.module.css';

/** How long after g the letter of a page may come. */
const patienceMs = 1500;

const pages = routes.flatMap(({ path, title, nav }) => (nav ? [{ path, title, letter: nav.letter }] : []));

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  target.closest('input, textarea, select, [contenteditable="true"]') !== null;

/** What single pages listen to; each says so to useHotkeys itself. */
const onPages: [keys: string[], does: string][] = [
  [['/'], 'search the list'],
  [['j', 'k'], 'next and previous alert'],
  [['Enter'], 'open the alert'],
  [['a'], 'acknowledge the alert'],
  [['s'], 'silence the alert'],
  [['n'], 'new silence or rule'],
  [['Esc'], 'close what is open'],
];

/** Keys that work everywhere: g and a letter goes to a page, ? shows all keys. */
export function Shortcuts() {
  const [, navigate] = useLocation();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    let begun = -Infinity;
    // Before the pages: after g a letter is not theirs.
    const listen = (e: KeyboardEvent) => {
      if (e.ctrlKey || e.metaKey || e.altKey || isTyping(e.target)) return;
      if (e.key === '?') setShown(true);
      const waiting = e.timeStamp - begun < patienceMs;
      begun = e.key === 'g' ? e.timeStamp : -Infinity;
      const page = waiting && pages.find(({ letter }) => letter === e.key);
      if (!page) return;
      e.preventDefault();
      e.stopImmediatePropagation();
      navigate(page.path);
    };
    document.addEventListener('keydown', listen, true);
    return () => document.removeEventListener('keydown', listen, true);
  }, [navigate]);
  const commands = useMemo<Command[]>(
    () => [
      {
        id: 'shortcuts',
        label: 'Keyboard shortcuts',
        icon: <IconKeyboard size={18} />,
        run: () => setShown(true),
      },
    ],
    [],
  );
  useCommands(commands);
  return (
    <Modal opened={shown} onClose={() => setShown(false)} title="Keyboard shortcuts" size="lg">
      <div className={styles.columns}>
        <Keys title="Go to" rows={pages.map(({ title, letter }) => [['g', letter], title])} />
        <div>
          <Keys
            title="Everywhere"
            rows={[
              [['Ctrl', 'K'], 'search pages, dashboards and actions'],
              [['?'], 'this list'],
            ]}
          />
          <Keys title="On pages" rows={onPages} />
        </div>
      </div>
    </Modal>
  );
}

function Keys({ title, rows }: { title: string; rows: [keys: string[], does: string][] }) {
  return (
    <section>
      <h3 className={styles.title}>{title}</h3>
      <dl className={styles.keys}>
        {rows.map(([keys, does]) => (
          <div key={does}>
            <dt>
              {keys.map((k) => (
                <Kbd key={k} size="xs">
                  {k}
                </Kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
