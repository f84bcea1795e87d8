import { ActionIcon, Kbd, Tooltip, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { IconMoon, IconSearch, IconSun } from '@tabler/icons-react';
import { useMemo, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { openPalette, useCommands, type Command } from './commands';
import { ConnectionBanner } from './ConnectionBanner';
import { Logo } from './Logo';
import { routes, type PageRoute } from './routes';
import styles from './Shell.module.css';
import { UserMenu } from './UserMenu';

const sections: { id: NonNullable<PageRoute['nav']>['section']; label: string }[] = [
  { id: 'watch', label: 'Watch' },
  { id: 'act', label: 'Act' },
  { id: 'system', label: 'System' },
];

/** The frame around every page: navigation at the side, or at the bottom on a phone. */
export function Shell({ children }: { children: ReactNode }) {
  const [location, navigate] = useLocation();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const nextScheme = colorScheme === 'light' ? 'dark' : 'light';

  const commands = useMemo<Command[]>(() => {
    const pages = routes.flatMap(({ path, title, nav }) => {
      if (!nav) return [];
      return [
        {
          id: `go:${path}`,
          label: title,
          group: 'Pages',
          icon: <nav.icon size={18} />,
          run: () => navigate(path),
        },
      ];
    });
    const scheme = {
      id: 'theme',
      label: `Switch to the ${nextScheme} theme`,
      run: () => setColorScheme(nextScheme),
    };
    return [...pages, scheme];
  }, [navigate, nextScheme, setColorScheme]);
  useCommands(commands);

  return (
    <div className={styles.shell}>
      <a href="#main" className={styles.skip}>
        Skip to the content
      </a>
      <nav className={styles.nav} aria-label="Pages">
        <Link href="/" className={styles.brand}>
          <Logo />
          <span>hedgewatch</span>
        </Link>
        <UnstyledButton className={styles.search} onClick={openPalette}>
          <IconSearch size={15} />
          <span>Search</span>
          <Kbd size="xs">Ctrl K</Kbd>
        </UnstyledButton>
        {sections.map(({ id, label }) => {
          const pages = routes.filter((r) => r.nav?.section === id);
          return (
            pages.length > 0 && (
              <div key={id} className={styles.section}>
                <div className={styles.sectionLabel}>{label}</div>
                {pages.map((page) => (
                  <NavItem key={page.path} page={page} location={location} />
                ))}
              </div>
            )
          );
        })}
        <div className={styles.foot}>
          <UserMenu />
          <Tooltip label={`Switch to the ${nextScheme} theme`}>
            <ActionIcon
              onClick={() => setColorScheme(nextScheme)}
              aria-label={`Switch to the ${nextScheme} theme`}
            >
              {colorScheme === 'light' ? <IconMoon size={17} /> : <IconSun size={17} />}
            </ActionIcon>
          </Tooltip>
        </div>
      </nav>
      <main id="main" className={styles.main} tabIndex={-1}>
        <ConnectionBanner />
        {children}
      </main>
    </div>
  );
}

function NavItem({ page, location }: { page: PageRoute; location: string }) {
  const active = page.path === '/' ? location === '/' : location.startsWith(page.path);
  const Icon = page.nav?.icon;
  return (
    <Link
      href={page.path}
      className={active ? `${styles.item} ${styles.active}` : styles.item}
      aria-current={active ? 'page' : undefined}
    >
      {Icon && <Icon size={18} stroke={1.6} />}
      <span>{page.title}</span>
    </Link>
  );
}
