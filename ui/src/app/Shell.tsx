import { ActionIcon, Kbd, Menu, Tooltip, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { IconDots, IconMoon, IconSearch, IconSun } from '@tabler/icons-react';
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
        <More location={location} nextScheme={nextScheme} onScheme={() => setColorScheme(nextScheme)} />
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

const isAt = (page: PageRoute, location: string): boolean =>
  page.path === '/' ? location === '/' : location.startsWith(page.path);

interface MoreProps {
  location: string;
  nextScheme: string;
  onScheme: () => void;
}

/** On a phone: what its bar has no room for. */
function More({ location, nextScheme, onScheme }: MoreProps) {
  const others = routes.filter((r) => r.nav && !r.nav.first);
  const active = others.some((r) => isAt(r, location));
  return (
    <Menu position="top-end" width={220}>
      <Menu.Target>
        <UnstyledButton className={`${styles.item} ${styles.more} ${active ? styles.active : ''}`}>
          <IconDots size={18} stroke={1.6} />
          <span>More</span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {others.map(({ path, title, nav }) => (
          <Menu.Item
            key={path}
            component={Link}
            href={path}
            leftSection={nav && <nav.icon size={16} stroke={1.6} />}
            aria-current={location.startsWith(path) ? 'page' : undefined}
          >
            {title}
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item leftSection={<IconSearch size={16} />} onClick={openPalette}>
          Search
        </Menu.Item>
        <Menu.Item
          leftSection={nextScheme === 'light' ? <IconSun size={16} /> : <IconMoon size={16} />}
          onClick={onScheme}
        >
          Switch to the {nextScheme} theme
        </Menu.Item>
        <div className={styles.moreUser}>
          <UserMenu inMenu />
        </div>
      </Menu.Dropdown>
    </Menu>
  );
}

function NavItem({ page, location }: { page: PageRoute; location: string }) {
  const active = isAt(page, location);
  const Icon = page.nav?.icon;
  return (
    <Link
      href={page.path}
      className={`${styles.item} ${active ? styles.active : ''} ${page.nav?.first ? '' : styles.second}`}
      aria-current={active ? 'page' : undefined}
    >
      {Icon && <Icon size={18} stroke={1.6} />}
      <span>{page.title}</span>
    </Link>
  );
}
