import {
  IconBellOff,
  IconBellRinging,
  IconChartLine,
  IconHome2,
  IconLayoutDashboard,
  IconListDetails,
  IconPlugConnected,
  IconSend,
  IconServer2,
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
  nav?: { icon: Icon; section: 'watch' | 'act' | 'system' };
}

export const routes: PageRoute[] = [
  {
    path: '/',
    title: 'Overview',
    page: lazy(() => import('../pages/overview/OverviewPage')),
    nav: { icon: IconHome2, section: 'watch' },
  },
  {
    path: '/alerts',
    title: 'Alerts',
    page: lazy(() => import('../pages/alerts/AlertsPage')),
    nav: { icon: IconBellRinging, section: 'watch' },
  },
  {
    path: '/dashboards',
    title: 'Dashboards',
    page: lazy(() => import('../pages/dashboards/DashboardsPage')),
    nav: { icon: IconLayoutDashboard, section: 'watch' },
  },
  {
    path: '/explore',
    title: 'Explore',
    page: lazy(() => import('../pages/explore/ExplorePage')),
    nav: { icon: IconChartLine, section: 'watch' },
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
    nav: { icon: IconListDetails, section: 'act' },
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
    nav: { icon: IconBellOff, section: 'act' },
  },
  {
    path: '/deliveries',
    title: 'Notifications',
    page: lazy(() => import('../pages/deliveries/DeliveriesPage')),
    nav: { icon: IconSend, section: 'act' },
  },
  {
    path: '/targets',
    title: 'Targets',
    page: lazy(() => import('../pages/targets/TargetsPage')),
    nav: { icon: IconPlugConnected, section: 'system' },
  },
  {
    path: '/status',
    title: 'Status',
    page: lazy(() => import('../pages/status/StatusPage')),
    nav: { icon: IconServer2, section: 'system' },
  },
  {
    path: '/admin',
    title: 'Users',
    page: lazy(() => import('../pages/admin/AdminPage')),
    nav: { icon: IconUsers, section: 'system' },
  },
];
