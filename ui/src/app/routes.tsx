import {
  IconBellOff,
  IconBellRinging,
  IconChartLine,
  IconDatabaseHeart,
  IconGauge,
  IconHome2,
  IconLayoutDashboard,
  IconListDetails,
  IconPlugConnected,
  IconRuler2,
  IconSend,
  IconServer2,
  IconStack2,
  IconUsers,
  type Icon,
} from '@tabler/icons-react';
import { lazy, type ComponentType, type LazyExoticComponent } from 'react';

/**
 * A page of the application. To add one: a folder in src/pages with its view as
 * the default export, and a line here. Each page is a chunk of its own.
 */
export interface PageRoute {
  /** wouter's notation: /dashboards/:uid, or /* for everything below. */
  path: string;
  title: string;
  page: LazyExoticComponent<ComponentType>;
  /** Pages without one are not in the navigation. */
  nav?: {
    icon: Icon;
    /** Pressed after g it leads here. */
    letter: string;
    section: 'watch' | 'act' | 'system';
    /** In the bar of a phone, which has room for four; the others are under More. */
    first?: boolean;
  };
}

export const routes: PageRoute[] = [
  {
    path: '/',
    title: 'Overview',
    page: lazy(() => import('../pages/overview/OverviewPage')),
    nav: { icon: IconHome2, letter: 'o', section: 'watch', first: true },
  },
  {
    path: '/alerts',
    title: 'Alerts',
    page: lazy(() => import('../pages/alerts/AlertsPage')),
    nav: { icon: IconBellRinging, letter: 'a', section: 'watch', first: true },
  },
  {
    path: '/services',
    title: 'Services',
    page: lazy(() => import('../pages/services/ServicesPage')),
    nav: { icon: IconStack2, letter: 's', section: 'watch', first: true },
  },
  {
    path: '/rate-limits',
    title: 'Rate limits',
    page: lazy(() => import('../pages/rate-limits/RateLimitsPage')),
    nav: { icon: IconGauge, letter: 'l', section: 'watch' },
  },
  {
    path: '/audit',
    title: 'Data sync',
    page: lazy(() => import('../pages/audit/AuditPage')),
    nav: { icon: IconDatabaseHeart, letter: 'y', section: 'watch' },
  },
  {
    path: '/capacity',
    title: 'Capacity',
    page: lazy(() => import('../pages/capacity/CapacityPage')),
    nav: { icon: IconRuler2, letter: 'c', section: 'watch' },
  },
  {
    path: '/dashboards',
    title: 'Dashboards',
    page: lazy(() => import('../pages/dashboards/DashboardsPage')),
    nav: { icon: IconLayoutDashboard, letter: 'd', section: 'watch' },
  },
  {
    path: '/explore',
    title: 'Explore',
    page: lazy(() => import('../pages/explore/ExplorePage')),
    nav: { icon: IconChartLine, letter: 'e', section: 'watch' },
  },
  {
    path: '/dashboards/:uid/*?',
    title: 'Dashboard',
    page: lazy(() => import('../pages/dashboard/DashboardPage')),
  },
  {
    path: '/rules',
    title: 'Rules',
    page: lazy(() => import('../pages/rules/RulesPage')),
    nav: { icon: IconListDetails, letter: 'r', section: 'act' },
  },
  {
    path: '/rules/edit',
    title: 'Rule',
    page: lazy(() => import('../pages/rules/RuleEditorPage')),
  },
  {
    path: '/silences',
    title: 'Silences',
    page: lazy(() => import('../pages/silences/SilencesPage')),
    nav: { icon: IconBellOff, letter: 'i', section: 'act', first: true },
  },
  {
    path: '/deliveries',
    title: 'Notifications',
    page: lazy(() => import('../pages/deliveries/DeliveriesPage')),
    nav: { icon: IconSend, letter: 'n', section: 'act' },
  },
  {
    path: '/targets',
    title: 'Targets',
    page: lazy(() => import('../pages/targets/TargetsPage')),
    nav: { icon: IconPlugConnected, letter: 't', section: 'system' },
  },
  {
    path: '/status',
    title: 'Status',
    page: lazy(() => import('../pages/status/StatusPage')),
    nav: { icon: IconServer2, letter: 'u', section: 'system' },
  },
  {
    path: '/admin',
    title: 'Users',
    page: lazy(() => import('../pages/admin/AdminPage')),
    nav: { icon: IconUsers, letter: 'p', section: 'system' },
  },
];
