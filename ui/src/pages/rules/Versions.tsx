import { Button, Drawer } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { StoredGroup } from '../../api/rules';
import { useApi } from '../../app/context';
import { Answer } from '../../components/Answer';
import page from '../../components/page.module.css';
import { toastDone, toastError } from '../../components/toast';
import { formatInstant } from '../../model/time';

interface Props {
  group: StoredGroup;
  onClose: () => void;
  onRestored: () => void;
}

/** What a group was before, and the way back. */
export function Versions({ group, onClose, onRestored }: Props) {
  const { rules: api } = useApi();
  const [open, setOpen] = useState<number | undefined>();
  const versions = useQuery({
    queryKey: ['rules', 'versions', group.name],
    queryFn: ({ signal }) => api.versions(group.name, signal),
  });
  const restore = useMutation({
    mutationFn: (version: number) => api.restore(group.name, version, group.version),
    onSuccess: (_, version) => {
      toastDone(`Version ${version} is in effect`);
      onRestored();
    },
    onError: (error) => toastError('Not restored', error),
  });
  return (
    <Drawer opened onClose={onClose} position="right" size="lg" title={`Versions of ${group.name}`}>
      <Answer query={versions} what="Versions">
        {(all) =>
          all.map((v) => (
            <section key={v.version} className={page.card} style={{ marginBottom: 10 }}>
              <div className={page.bar}>
                <strong>{v.version}</strong>
                <span className={page.note}>
                  {formatInstant(Date.parse(v.updated), 'browser')} {v.updatedBy}{' '}
                  {v.message && `“${v.message}”`}
                </span>
                <Button
                  variant="subtle"
                  size="compact-xs"
                  ml="auto"
                  onClick={() => setOpen(open === v.version ? undefined : v.version)}
                >
                  {open === v.version ? 'Hide' : 'Show'}
                </Button>
                {v.version !== group.version && (
                  <Button
                    variant="default"
                    size="compact-xs"
                    loading={restore.isPending}
                    onClick={() => restore.mutate(v.version)}
                  >
                    Restore
                  </Button>
                )}
              </div>
              {open === v.version && <pre className={page.pre}>{v.yaml}</pre>}
            </section>
          ))
        }
      </Answer>
    </Drawer>
  );
}
