import { ActionIcon, Select } from '@mantine/core';
import { IconEye, IconEyeOff, IconTrash } from '@tabler/icons-react';
import type { Panel } from '../../../model/dashboard';
import { asObject, asObjects } from '../../../model/json';
import { transformationNames } from '../../../model/transform';
import { JsonTab } from './JsonTab';
import type { Edit } from './PanelEditor';
import { TransformationForm } from './TransformationForm';
import styles from './PanelEditor.module.css';

/** The steps between the queries and the picture; all options can be edited as JSON. */
export function Transformations({ panel, edit }: { panel: Panel; edit: Edit }) {
  const raw = asObjects(edit.raw.transformations);
  return (
    <div>
      {panel.transformations.map(({ id, disabled, options }, i) => (
        <div key={i} className={styles.query}>
          <div className={styles.queryHead}>
            <span className={styles.refId}>{id}</span>
            {!transformationNames.includes(id) && (
              <span className={styles.note}>not known here, and kept</span>
            )}
            <ActionIcon
              ml="auto"
              size="sm"
              aria-label={disabled ? `Use ${id}` : `Leave out ${id}`}
              onClick={() => edit.set(['transformations', i, 'disabled'], disabled ? undefined : true)}
            >
              {disabled ? <IconEyeOff size={15} /> : <IconEye size={15} />}
            </ActionIcon>
            <ActionIcon
              size="sm"
              aria-label={`Remove ${id}`}
              onClick={() =>
                edit.set(
                  ['transformations'],
                  raw.filter((_, j) => j !== i),
                )
              }
            >
              <IconTrash size={15} />
            </ActionIcon>
          </div>
          <TransformationForm id={id} edit={edit} path={['transformations', i, 'options']} />
          <details className={styles.more}>
            <summary className={styles.note}>JSON</summary>
            <JsonTab
              raw={asObject(options)}
              rows={6}
              onChange={(next) => edit.set(['transformations', i, 'options'], next)}
            />
          </details>
        </div>
      ))}
      <Select
        mt={10}
        w={260}
        placeholder="Add a transformation"
        data={transformationNames}
        value={null}
        onChange={(id) => id && edit.set(['transformations'], [...raw, { id, options: {} }])}
      />
    </div>
  );
}
