import { ActionIcon, Badge, Button, Group, Menu, Tooltip } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import {
  IconArrowBackUp,
  IconDeviceFloppy,
  IconDeviceTv,
  IconDots,
  IconPencil,
  IconPlus,
} from '@tabler/icons-react';
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import type { DashboardMeta } from '../../api/hedgewatch';
import { useCommands, type Command } from '../../app/commands';
import { useTimeRange } from '../../app/timeRange';
import { useUrlState } from '../../app/urlState';
import { useScrapeInterval } from '../../app/useScrapeInterval';
import { useSession } from '../../app/useSession';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, LoadingState } from '../../components/states';
import { TimePicker } from '../../components/TimePicker';
import {
  findPanel,
  panelsOf,
  sharedCrosshair,
  timeDefaults,
  titleOf,
  type Dashboard,
} from '../../model/dashboard';
import { dashboardLinksOf } from '../../model/dashboardLinks';
import { addPanel, placePanels, toggleRow, updatePanel } from '../../model/edit';
import { layout, type Placed } from '../../model/layout';
import type { JsonObject } from '../../model/json';
import { zoomOut } from '../../model/time';
import type { PanelSetting } from '../../panels/PanelView';
import { DashboardDialogs, type Dialog } from './Dialogs';
import { DashboardLinks } from './DashboardLinks';
import { useDraft } from './draft';
import styles from './DashboardView.module.css';
import { Grid } from './Grid';
import { PlacedPanel } from './PlacedPanel';
import { RowHeader } from './RowHeader';
import { useMarks } from './useMarks';
import { useVariables } from './useVariables';
import { VariableBar } from './VariableBar';

const PanelEditor = lazy(() => import('./editor/PanelEditor'));

interface Props {
  original: Dashboard;
  meta?: DashboardMeta;
}

const newPanel: JsonObject = {
  type: 'timeseries',
  title: 'New panel',
  gridPos: { w: 12, h: 8 },
  targets: [{ refId: 'A', expr: '' }],
  fieldConfig: { defaults: {}, overrides: [] },
  options: {
    legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
};

export function DashboardView({ original, meta }: Props) {
  const draft = useDraft(original, meta?.uid ?? 'new');
  const { dashboard, change } = draft;
  const [params, update] = useUrlState();
  const [, navigate] = useLocation();
  const session = useSession();
  const [editing, setEditing] = useState(!meta || draft.changed);
  const [dialog, setDialog] = useState<Dialog>();

  const defaults = useMemo(
    () => timeDefaults(dashboard),
    [dashboard.time, dashboard.refresh, dashboard.timezone],
  );
  const time = useTimeRange(defaults);
  const { range, zone, setRange, refreshNow } = time;
  const variables = useVariables(dashboard, range);
  const { scope } = variables;
  const scrapeIntervalMs = useScrapeInterval();
  const marks = useMarks(dashboard, variables, range, scrapeIntervalMs);
  const widen = useCallback(() => setRange(zoomOut(range, Date.now())), [setRange, range]);

  const setting = useMemo<PanelSetting>(
    () => ({
      scope,
      range,
      zone,
      scrapeIntervalMs,
      marks,
      syncKey: sharedCrosshair(dashboard) ? 'dashboard' : undefined,
      onZoom: setRange,
      onZoomOut: widen,
    }),
    [scope, range, zone, scrapeIntervalMs, marks, dashboard.graphTooltip, setRange, widen],
  );

  const links = useMemo(() => dashboardLinksOf(dashboard), [dashboard.links]);
  const kiosk = params.has('kiosk');
  useEffect(() => {
    document.documentElement.toggleAttribute('data-kiosk', kiosk);
    return () => document.documentElement.removeAttribute('data-kiosk');
  }, [kiosk]);
  const setKiosk = useCallback((on: boolean) => update({ kiosk: on ? '' : undefined }), [update]);

  const panelId = (name: string) => Number(params.get(name)?.replace('panel-', '') ?? NaN);
  const edited = findPanel(dashboard, panelId('editPanel'));
  const viewed = panelId('viewPanel');
  const openEditor = useCallback(
    (id: number) => update({ editPanel: String(id), viewPanel: undefined }, { push: true }),
    [update],
  );
  const create = useCallback(() => {
    let id = 0;
    change((d) => {
      const added = addPanel(d, newPanel);
      id = added.id;
      return added.dashboard;
    });
    setEditing(true);
    // The id is known when the change has run, which React does before this.
    queueMicrotask(() => openEditor(id));
  }, [change, openEditor]);

  const save = useCallback(() => setDialog('save'), []);
  useHotkeys([
    ['mod+S', save],
    ['mod+Z', widen],
    ['r', refreshNow],
    ['e', () => setEditing((on) => !on)],
    ['Escape', () => (kiosk ? setKiosk(false) : viewed ? update({ viewPanel: undefined }) : undefined)],
  ]);
  const commands = useMemo<Command[]>(
    () => [
      {
        id: 'db:edit',
        label: editing ? 'Stop editing' : 'Edit this dashboard',
        group: 'Dashboard',
        run: () => setEditing(!editing),
      },
      { id: 'db:add', label: 'Add a panel', group: 'Dashboard', run: create },
      { id: 'db:save', label: 'Save this dashboard', group: 'Dashboard', run: save },
      { id: 'db:kiosk', label: 'Show it on the whole screen', group: 'Dashboard', run: () => setKiosk(true) },
      { id: 'db:json', label: 'Show its JSON', group: 'Dashboard', run: () => setDialog('json') },
      {
        id: 'db:versions',
        label: 'Compare and restore versions',
        group: 'Dashboard',
        run: () => setDialog('versions'),
      },
    ],
    [editing, create, save, setKiosk],
  );
  useCommands(commands);

  const title = titleOf(dashboard);
  const dialogs = (
    <DashboardDialogs
      dialog={dialog}
      onClose={() => setDialog(undefined)}
      draft={draft}
      meta={meta}
      onOpen={setDialog}
    />
  );
  if (edited) {
    return (
      <Suspense fallback={<LoadingState />}>
        <PanelEditor
          panel={edited}
          dashboardTitle={title}
          setting={setting}
          time={time}
          variables={<VariableBar variables={variables.list} onChoose={variables.choose} />}
          ready={variables.ready}
          onChange={(next) => change((d) => updatePanel(d, edited.id, () => next))}
          onClose={() => update({ editPanel: undefined })}
        />
        {dialogs}
      </Suspense>
    );
  }
  return (
    <>
      {!kiosk && (
        <PageHeader title={title} subtitle={meta?.folder}>
          {(draft.changed || !meta) && (
            <Group gap={6}>
              {draft.changed && (
                <Badge variant="light" color="yellow" size="sm">
                  Not saved
                </Badge>
              )}
              <Button
                leftSection={<IconDeviceFloppy size={15} />}
                onClick={save}
                disabled={!session.mayEdit}
                title={session.mayEdit ? undefined : 'Only editors may save'}
              >
                Save
              </Button>
              {draft.canUndo && (
                <Tooltip label="Undo the last change">
                  <ActionIcon onClick={draft.undo} aria-label="Undo the last change">
                    <IconArrowBackUp size={16} />
                  </ActionIcon>
                </Tooltip>
              )}
            </Group>
          )}
          {editing && (
            <Button variant="default" leftSection={<IconPlus size={15} />} onClick={create}>
              Panel
            </Button>
          )}
          <TimePicker time={time} />
          <Tooltip label={editing ? 'Stop editing (E)' : 'Edit (E)'}>
            <ActionIcon
              variant={editing ? 'light' : 'subtle'}
              onClick={() => setEditing(!editing)}
              aria-pressed={editing}
              aria-label="Edit"
            >
              <IconPencil size={16} />
            </ActionIcon>
          </Tooltip>
          <Tooltip label="Whole screen">
            <ActionIcon onClick={() => setKiosk(true)} aria-label="Whole screen">
              <IconDeviceTv size={16} />
            </ActionIcon>
          </Tooltip>
          <Menu position="bottom-end" width={220}>
            <Menu.Target>
              <ActionIcon aria-label="More">
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => setDialog('settings')}>Settings and variables</Menu.Item>
              <Menu.Item onClick={() => setDialog('json')}>JSON</Menu.Item>
              <Menu.Item onClick={() => setDialog('share')}>Share and export</Menu.Item>
              {editing && (
                <Menu.Item
                  onClick={() =>
                    change(
                      (d) =>
                        addPanel(d, {
                          type: 'row',
                          title: 'Row',
                          collapsed: false,
                          panels: [],
                          gridPos: { w: 24, h: 1 },
                        }).dashboard,
                    )
                  }
                >
                  Add a row
                </Menu.Item>
              )}
              {meta && <Menu.Item onClick={() => setDialog('versions')}>Versions</Menu.Item>}
              {draft.changed && <Menu.Item onClick={draft.discard}>Discard changes</Menu.Item>}
              {meta && !meta.shipped && (
                <Menu.Item color="red" onClick={() => setDialog('delete')}>
                  {meta.edited ? 'Reset to what was shipped' : 'Delete'}
                </Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        </PageHeader>
      )}
      <VariableBar variables={variables.list} onChoose={variables.choose}>
        {links.length > 0 && (
          <DashboardLinks
            links={links}
            taken={{ range: range.raw, variables: variables.list }}
            scope={scope}
            uid={meta?.uid}
          />
        )}
      </VariableBar>
      {variables.ready ? (
        <Panels
          dashboard={dashboard}
          setting={setting}
          editing={editing}
          viewed={viewed}
          change={change}
          onEdit={openEditor}
        />
      ) : (
        <LoadingState />
      )}
      {dialogs}
      {!meta && panelsOf(dashboard).length === 0 && (
        <EmptyState
          title="An empty dashboard"
          message="Begin with a panel, or bring a dashboard from Grafana."
          action={
            <Group>
              <Button onClick={create}>Add a panel</Button>
              <Button variant="default" onClick={() => navigate('/dashboards?import')}>
                Import
              </Button>
            </Group>
          }
        />
      )}
    </>
  );
}

interface PanelsProps {
  dashboard: Dashboard;
  setting: PanelSetting;
  editing: boolean;
  viewed: number;
  change: (edit: (d: Dashboard) => Dashboard) => void;
  onEdit: (id: number) => void;
}

function Panels({ dashboard, setting, editing, viewed, change, onEdit }: PanelsProps) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(new Set());
  const panels = useMemo(() => panelsOf(dashboard), [dashboard.panels, dashboard.rows]);
  const items = useMemo(
    () => layout(panels, setting.scope, collapsed, expanded),
    [panels, setting.scope, collapsed, expanded],
  );
  const single =
    items.find((i) => i.panel.id === viewed) ??
    panels
      .flatMap((p) => p.panels)
      .filter((p) => p.id === viewed)
      .map(alone)[0];
  const tools = { editing, change, onEdit };
  if (single && viewed) {
    return (
      <div className={styles.single}>
        <PlacedPanel item={single} setting={setting} {...tools} />
      </div>
    );
  }
  const toggle = (item: Placed) => {
    // Whoever edits changes the dashboard; whoever looks changes only the view.
    if (editing && !item.copy) return change((d) => toggleRow(d, item.panel.id));
    const original = panels.find((p) => p.id === item.panel.id)?.collapsed ?? false;
    const flip = (old: ReadonlySet<string>) => {
      const next = new Set(old);
      if (!next.delete(item.key)) next.add(item.key);
      return next;
    };
    (original ? setExpanded : setCollapsed)(flip);
  };
  return (
    <div className={styles.panels}>
      <Grid items={items} editing={editing} onPlace={(places) => change((d) => placePanels(d, places))}>
        {(item) =>
          item.panel.type === 'row' ? (
            <RowHeader
              item={item}
              scope={setting.scope}
              onToggle={() => toggle(item)}
              onRemove={
                editing && !item.copy
                  ? () => change((d) => updatePanel(d, item.panel.id, () => undefined))
                  : undefined
              }
            />
          ) : (
            <PlacedPanel item={item} setting={setting} {...tools} />
          )
        }
      </Grid>
    </div>
  );
}

const alone = (panel: Placed['panel']): Placed => ({
  key: String(panel.id),
  panel,
  gridPos: panel.gridPos,
  repeats: {},
  copy: false,
});
