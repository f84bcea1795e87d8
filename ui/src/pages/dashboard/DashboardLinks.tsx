import { Button, Menu } from '@mantine/core';
import { IconChevronDown, IconExternalLink, IconLayoutDashboard } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import type { DashboardMeta } from '../../api/hedgewatch';
import { useApi } from '../../app/context';
import { safeHref } from '../../components/href';
import { linkAddress, withTags, type DashboardLink, type Taken } from '../../model/dashboardLinks';
import { interpolate, textFormat, urlFormat, type Scope } from '../../model/interpolate';

interface Props {
  links: DashboardLink[];
  taken: Taken;
  scope: Scope;
  /** Of the dashboard that is shown, which needs no way to itself. */
  uid?: string;
}

/** The ways from a dashboard to others and elsewhere, as buttons. */
export function DashboardLinks({ links, taken, scope, uid }: Props) {
  const { hedgewatch } = useApi();
  const wanted = links.some((l) => l.url === undefined);
  const list = useQuery({
    queryKey: ['dashboards'],
    queryFn: ({ signal }) => hedgewatch.dashboards(signal),
    enabled: wanted,
  });
  const others = (list.data ?? []).filter((d) => d.uid !== uid);
  return links.map((link, i) => {
    const to = (url: string) => ({
      component: 'a' as const,
      href: safeHref(linkAddress(url, link, taken)),
      target: link.newTab ? '_blank' : undefined,
      rel: 'noreferrer',
    });
    const page = (d: DashboardMeta) => to(`/d/${encodeURIComponent(d.uid)}`);
    const title = interpolate(link.title, scope, textFormat);
    const look = { variant: 'default', size: 'xs', title: link.tooltip || undefined };
    if (link.url !== undefined) {
      const url = interpolate(link.url, scope, urlFormat);
      return (
        <Button key={i} {...look} {...to(url)} leftSection={<IconExternalLink size={14} />}>
          {title || url}
        </Button>
      );
    }
    const found = withTags(others, link.tags);
    if (!link.dropdown)
      return found.map((d) => (
        <Button key={`${i} ${d.uid}`} {...look} {...page(d)} leftSection={<IconLayoutDashboard size={14} />}>
          {d.title}
        </Button>
      ));
    return (
      <Menu key={i} position="bottom-end" withinPortal>
        <Menu.Target>
          <Button {...look} rightSection={<IconChevronDown size={14} />}>
            {title || link.tags.join(', ') || 'Dashboards'}
          </Button>
        </Menu.Target>
        <Menu.Dropdown mah={400} style={{ overflowY: 'auto' }}>
          {found.map((d) => (
            <Menu.Item key={d.uid} {...page(d)}>
              {d.title}
            </Menu.Item>
          ))}
          {found.length === 0 && <Menu.Item disabled>No dashboard has these tags</Menu.Item>}
        </Menu.Dropdown>
      </Menu>
    );
  });
}
