import { SegmentedControl } from '@mantine/core';
import { useUrlState } from '../../app/urlState';
import page from '../../components/page.module.css';
import { PageHeader } from '../../components/PageHeader';
import { Attempts } from './Attempts';
import { Receivers } from './Receivers';
import { Routing } from './Routing';

const views = ['receivers', 'deliveries', 'routing'] as const;

/** Who is told, whether it works, and what was sent. */
export default function DeliveriesPage() {
  const [params, update] = useUrlState();
  const asked = views.find((v) => v === params.get('view'));
  const view = asked ?? (params.has('fingerprint') ? 'deliveries' : 'receivers');
  return (
    <>
      <PageHeader title="Notifications">
        <SegmentedControl
          size="xs"
          aria-label="View"
          value={view}
          onChange={(value) => update({ view: value, fingerprint: undefined })}
          data={[
            { value: 'receivers', label: 'Receivers' },
            { value: 'deliveries', label: 'Deliveries' },
            { value: 'routing', label: 'Routing' },
          ]}
        />
      </PageHeader>
      <div className={page.body}>
        {view === 'receivers' && <Receivers />}
        {view === 'deliveries' && <Attempts />}
        {view === 'routing' && <Routing />}
      </div>
    </>
  );
}
