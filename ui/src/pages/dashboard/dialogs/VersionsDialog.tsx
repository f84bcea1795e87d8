import { Badge, Button, Group, Table } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { messageOf } from '../../../api';
import { useApi } from '../../../app/context';
import { useSession } from '../../../app/useSession';
import { EmptyState, ErrorState, LoadingState } from '../../../components/states';
import { toastDone, toastError } from '../../../components/toast';
import { diffJson } from '../../../model/diff';
import { formatInstant } from '../../../model/time';
import type { DialogProps } from '../Dialogs';
import { Changes } from './Changes';

/** Who saved what when; compares a version with what is on the screen, and brings it back. */
export default function VersionsDialog({ meta, draft, onClose }: DialogProps) {
  const { hedgewatch } = useApi();
  const queries = useQueryClient();
  const { mayEdit } = useSession();
  const uid = meta?.uid ?? '';
  const [chosen, setChosen] = useState<number>();
  const versions = useQuery({
    queryKey: ['versions', uid],
    queryFn: ({ signal }) => hedgewatch.dashboardVersions(uid, signal),
    gcTime: 0,
  });
  const compared = useQuery({
    queryKey: ['version', uid, chosen],
    queryFn: ({ signal }) => hedgewatch.dashboardAt(uid, chosen ?? 0, signal),
    enabled: chosen !== undefined,
  });
  const restore = async (version: number) => {
    try {
      const restored = await hedgewatch.restoreDashboard(uid, version, meta?.version ?? 0);
      draft.discard();
      queries.setQueryData(['dashboard', uid], restored);
      toastDone(`Version ${version} is back, as version ${restored.meta.version}`);
      onClose();
    } catch (error) {
      toastError('The version was not restored', error);
    }
  };
  if (versions.isError)
    return <ErrorState title="The versions cannot be read" message={messageOf(versions.error)} />;
  if (!versions.data) return <LoadingState />;
  if (versions.data.length === 0) return <EmptyState title="Nobody has changed it yet" />;
  return (
    <>
      <Table highlightOnHover verticalSpacing={4}>
        <Table.Tbody>
          {versions.data.map(({ version, time, who, message }) => (
            <Table.Tr key={version}>
              <Table.Td className="numeric">{version}</Table.Td>
              <Table.Td className="numeric">{formatInstant(Date.parse(time), 'browser')}</Table.Td>
              <Table.Td>{who}</Table.Td>
              <Table.Td>{message}</Table.Td>
              <Table.Td>
                <Group gap={6} justify="flex-end" wrap="nowrap">
                  {version === meta?.version ? (
                    <Badge variant="light">now</Badge>
                  ) : (
                    <Button
                      size="compact-xs"
                      variant="light"
                      disabled={!mayEdit}
                      onClick={() => void restore(version)}
                    >
                      Restore
                    </Button>
                  )}
                  <Button size="compact-xs" variant="default" onClick={() => setChosen(version)}>
                    Compare
                  </Button>
                </Group>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {compared.data && (
        <>
          <p>From version {chosen} to what you see:</p>
          <Changes changes={diffJson(compared.data, draft.dashboard)} />
        </>
      )}
    </>
  );
}
