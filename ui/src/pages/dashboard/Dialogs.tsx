import { Modal } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { DashboardMeta } from '../../api/hedgewatch';
import { LoadingState } from '../../components/states';
import type { Draft } from './draft';

export type Dialog = 'save' | 'versions' | 'json' | 'share' | 'settings' | 'delete';

export interface DialogProps {
  draft: Draft;
  meta?: DashboardMeta;
  onClose: () => void;
  onOpen: (dialog: Dialog) => void;
}

const dialogs = {
  save: { title: 'Save the dashboard', size: 'md', view: lazy(() => import('./dialogs/SaveDialog')) },
  versions: { title: 'Versions', size: 'xl', view: lazy(() => import('./dialogs/VersionsDialog')) },
  json: { title: 'JSON', size: 'xl', view: lazy(() => import('./dialogs/JsonDialog')) },
  share: { title: 'Share and export', size: 'md', view: lazy(() => import('./dialogs/ShareDialog')) },
  settings: { title: 'Settings', size: 'xl', view: lazy(() => import('./dialogs/SettingsDialog')) },
  delete: { title: 'Delete the dashboard', size: 'md', view: lazy(() => import('./dialogs/DeleteDialog')) },
} as const;

/** The dialogs of a dashboard; each is loaded when it is opened first. */
export function DashboardDialogs({ dialog, ...props }: DialogProps & { dialog?: Dialog }) {
  const shown = dialog && dialogs[dialog];
  return (
    <Modal
      opened={shown !== undefined}
      onClose={props.onClose}
      title={shown?.title}
      size={shown?.size}
      centered
    >
      <Suspense fallback={<LoadingState />}>{shown && <shown.view {...props} />}</Suspense>
    </Modal>
  );
}
