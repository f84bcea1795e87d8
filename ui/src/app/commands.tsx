import {
  Spotlight,
  spotlight,
  type SpotlightActionData,
  type SpotlightActionGroupData,
} from '@mantine/spotlight';
import { IconSearch } from '@tabler/icons-react';
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';

/** Something that the command palette offers while its component is on the page. */
export interface Command {
  id: string;
  label: string;
  description?: string;
  group?: string;
  /** Words that find it, besides label and description. */
  keywords?: string[];
  icon?: ReactNode;
  run: () => void;
}

interface Registry {
  set: (owner: symbol, commands: Command[]) => void;
  remove: (owner: symbol) => void;
}

const RegistryContext = createContext<Registry | undefined>(undefined);

/** Offers the commands while the calling component is mounted. Memoise the list. */
export function useCommands(commands: Command[]): void {
  const registry = useContext(RegistryContext);
  useEffect(() => {
    const owner = Symbol();
    registry?.set(owner, commands);
    return () => registry?.remove(owner);
  }, [registry, commands]);
}

export function openPalette(): void {
  spotlight.open();
}

export function CommandPalette({ children }: { children: ReactNode }) {
  const [owners, setOwners] = useState<ReadonlyMap<symbol, Command[]>>(new Map());
  const registry = useMemo<Registry>(
    () => ({
      set: (owner, commands) => setOwners((old) => new Map(old).set(owner, commands)),
      remove: (owner) =>
        setOwners((old) => {
          const next = new Map(old);
          next.delete(owner);
          return next;
        }),
    }),
    [],
  );
  const actions = useMemo(() => groups([...owners.values()].flat()), [owners]);
  return (
    <RegistryContext.Provider value={registry}>
      {children}
      <Spotlight
        actions={actions}
        shortcut={['mod + K', 'mod + P']}
        nothingFound="Nothing found"
        highlightQuery
        limit={12}
        // The dialog's name, which its field shows already.
        title="Search"
        styles={{ header: { display: 'none' } }}
        scrollable
        maxHeight={420}
        searchProps={{
          leftSection: <IconSearch size={18} />,
          placeholder: 'Go to a page, a dashboard, or do something…',
        }}
      />
    </RegistryContext.Provider>
  );
}

function groups(commands: Command[]): SpotlightActionGroupData[] {
  const byGroup = new Map<string, SpotlightActionData[]>();
  for (const { id, label, description, group = 'Actions', keywords, icon, run } of commands) {
    const list = byGroup.get(group) ?? [];
    list.push({ id, label, description, keywords, leftSection: icon, onClick: run });
    byGroup.set(group, list);
  }
  return [...byGroup].map(([group, actions]) => ({ group, actions }));
}
