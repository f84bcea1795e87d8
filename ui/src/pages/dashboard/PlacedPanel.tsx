import { Menu } from '@mantine/core';
import {
  IconCopy,
  IconFileTypeCsv,
  IconMaximize,
  IconPencil,
  IconPhoto,
  IconTrash,
} from '@tabler/icons-react';
import { memo, useMemo } from 'react';
import { useUrlState } from '../../app/urlState';
import { toastError } from '../../components/toast';
import type { Dashboard } from '../../model/dashboard';
import { duplicatePanel, updatePanel } from '../../model/edit';
import type { Placed } from '../../model/layout';
import { download, toCsv, toPng } from '../../panels/export';
import { PanelView, type PanelSetting, type PanelTools } from '../../panels/PanelView';

interface Props {
  item: Placed;
  setting: PanelSetting;
  editing: boolean;
  change: (edit: (d: Dashboard) => Dashboard) => void;
  onEdit: (id: number) => void;
}

/** A panel on a dashboard, with the values of its repetition and its menu. */
export const PlacedPanel = memo(function PlacedPanel({ item, setting, editing, change, onEdit }: Props) {
  const { panel, repeats, copy } = item;
  const own = useMemo(() => {
    if (Object.keys(repeats).length === 0) return setting;
    return { ...setting, scope: { ...setting.scope, extra: { ...setting.scope.extra, ...repeats } } };
  }, [setting, repeats]);
  return (
    <PanelView
      panel={panel}
      setting={own}
      menu={(tools) => (
        <PanelMenu tools={tools} id={panel.id} editing={editing && !copy} change={change} onEdit={onEdit} />
      )}
    />
  );
});

type MenuProps = Pick<Props, 'editing' | 'change' | 'onEdit'> & { tools: PanelTools; id: number };

function PanelMenu({ tools, id, editing, change, onEdit }: MenuProps) {
  const [params, update] = useUrlState();
  const viewed = params.get('viewPanel') === String(id);
  const hasCanvas = tools.element()?.querySelector('canvas');
  const savePng = async () => {
    const image = await toPng(tools.element(), tools.title);
    if (image) download(`${tools.title}.png`, image);
    else toastError('No picture was made', 'the browser gave none');
  };
  return (
    <>
      <Menu.Item
        leftSection={<IconMaximize size={15} />}
        onClick={() => update({ viewPanel: viewed ? undefined : String(id) }, { push: true })}
      >
        {viewed ? 'Back to the dashboard' : 'View alone'}
      </Menu.Item>
      <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => onEdit(id)}>
        Edit
      </Menu.Item>
      <Menu.Item
        leftSection={<IconFileTypeCsv size={15} />}
        disabled={tools.frames.length === 0}
        onClick={() => download(`${tools.title}.csv`, new Blob([toCsv(tools.frames)], { type: 'text/csv' }))}
      >
        Save as CSV
      </Menu.Item>
      {hasCanvas && (
        <Menu.Item leftSection={<IconPhoto size={15} />} onClick={() => void savePng()}>
          Save as PNG
        </Menu.Item>
      )}
      {editing && (
        <>
          <Menu.Divider />
          <Menu.Item
            leftSection={<IconCopy size={15} />}
            onClick={() => change((d) => duplicatePanel(d, id))}
          >
            Duplicate
          </Menu.Item>
          <Menu.Item
            leftSection={<IconTrash size={15} />}
            color="red"
            onClick={() => change((d) => updatePanel(d, id, () => undefined))}
          >
            Remove
          </Menu.Item>
        </>
      )}
    </>
  );
}
