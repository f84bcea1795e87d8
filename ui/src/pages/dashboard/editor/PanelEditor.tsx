import { Button, Tabs } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { IconArrowLeft } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import type { TimeState } from '../../../app/timeRange';
import { PageHeader } from '../../../components/PageHeader';
import { LoadingState } from '../../../components/states';
import { TimePicker } from '../../../components/TimePicker';
import type { Panel } from '../../../model/dashboard';
import { setPath, type Json, type JsonObject, type Path } from '../../../model/json';
import { PanelView, type PanelSetting } from '../../../panels/PanelView';
import type { PanelState } from '../../../panels/usePanelData';
import { JsonTab } from './JsonTab';
import { OptionForms } from './OptionForms';
import { Overrides } from './Overrides';
import styles from './PanelEditor.module.css';
import { Queries } from './Queries';
import { Transformations } from './Transformations';

interface Props {
  panel: Panel;
  dashboardTitle: string;
  setting: PanelSetting;
  time: TimeState;
  variables: ReactNode;
  ready: boolean;
  onChange: (raw: JsonObject) => void;
  onClose: () => void;
}

/** How the forms change the panel: one place of its JSON at a time. */
export interface Edit {
  /** What older schemas had is already read as today's. */
  raw: JsonObject;
  set: (path: Path, value: Json | undefined) => void;
}

export default function PanelEditor({
  panel,
  dashboardTitle,
  setting,
  time,
  variables,
  ready,
  onChange,
  onClose,
}: Props) {
  const [data, setData] = useState<PanelState>();
  useHotkeys([['Escape', onClose]]);
  const raw = modern(panel);
  const edit: Edit = { raw, set: (path, value) => onChange(setPath(raw, path, value)) };
  return (
    <div className={styles.editor}>
      <PageHeader title={panel.title || 'Panel'} subtitle={dashboardTitle}>
        <TimePicker time={time} />
        <Button leftSection={<IconArrowLeft size={15} />} onClick={onClose}>
          Back to the dashboard
        </Button>
      </PageHeader>
      {variables}
      <div className={styles.columns}>
        <div className={styles.left}>
          <div className={styles.preview}>
            {ready ? <PanelView panel={panel} setting={setting} onData={setData} /> : <LoadingState />}
          </div>
          <Tabs defaultValue="queries" className={styles.tabs} keepMounted={false}>
            <Tabs.List>
              <Tabs.Tab value="queries">Queries ({panel.targets.length})</Tabs.Tab>
              <Tabs.Tab value="transformations">Transformations ({panel.transformations.length})</Tabs.Tab>
              <Tabs.Tab value="json">JSON</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="queries">
              <Queries panel={panel} edit={edit} data={data} />
            </Tabs.Panel>
            <Tabs.Panel value="transformations">
              <Transformations panel={panel} edit={edit} />
            </Tabs.Panel>
            <Tabs.Panel value="json">
              <JsonTab raw={raw} onChange={onChange} />
            </Tabs.Panel>
          </Tabs>
        </div>
        <aside className={styles.right} aria-label="Options of the panel">
          <OptionForms panel={panel} edit={edit} />
          <Overrides edit={edit} frames={data?.frames ?? []} />
        </aside>
      </div>
    </div>
  );
}

/** Editing a panel of an old schema makes it one of today's. */
function modern({ raw, type, options, fieldConfig }: Panel): JsonObject {
  return raw.type === type ? raw : { ...raw, type, options, fieldConfig };
}
