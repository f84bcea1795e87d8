import { useQuery } from '@tanstack/react-query';
import type { QueryAnswer, VectorSample } from '../../api/prometheus';
import type { Instance } from '../../api/services';
import { useApi } from '../../app/context';
import { useLive } from '../../app/live';

/** What an instance uses of CPU (cores) and memory (bytes). What is not measured is absent, not zero. */
export interface Usage {
  cpu?: number;
  memory?: number;
  cpuRequest?: number;
  memoryRequest?: number;
  cpuLimit?: number;
  memoryLimit?: number;
}

type Measure = keyof Usage;

const unit = 'id=~"/system.slice/[^/]+[.]service"';
/** By whom each number is exported: cAdvisor for pods, containers and units, kube-state-metrics, process groups of the host. */
const sources: [Measure, string][] = [
  [
    'cpu',
    'sum by (namespace, pod, container) (rate(container_cpu_usage_seconds_total{pod!="", container!="", container!="POD"}[2m]))',
  ],
  ['cpu', 'sum by (name) (rate(container_cpu_usage_seconds_total{pod="", name!=""}[2m]))'],
  ['cpu', `sum by (id) (rate(container_cpu_usage_seconds_total{pod="", name="", ${unit}}[2m]))`],
  ['cpu', 'sum by (groupname) (rate(namedprocess_namegroup_cpu_seconds_total[2m]))'],
  [
    'memory',
    'sum by (namespace, pod, container) (container_memory_working_set_bytes{pod!="", container!="", container!="POD"})',
  ],
  ['memory', 'sum by (name) (container_memory_working_set_bytes{pod="", name!=""})'],
  ['memory', `sum by (id) (container_memory_working_set_bytes{pod="", name="", ${unit}})`],
  ['memory', 'sum by (groupname) (namedprocess_namegroup_memory_bytes{memtype="resident"})'],
  ['cpuRequest', 'sum by (namespace, pod, container) (kube_pod_container_resource_requests{resource="cpu"})'],
  [
    'memoryRequest',
    'sum by (namespace, pod, container) (kube_pod_container_resource_requests{resource="memory"})',
  ],
  ['cpuLimit', 'sum by (namespace, pod, container) (kube_pod_container_resource_limits{resource="cpu"})'],
  [
    'cpuLimit',
    'sum by (name) (container_spec_cpu_quota{pod="", name!=""} / container_spec_cpu_period{pod="", name!=""})',
  ],
  [
    'memoryLimit',
    'sum by (namespace, pod, container) (kube_pod_container_resource_limits{resource="memory"})',
  ],
];

/** All numbers of all instances in one query. */
export const usageQuery = sources
  .map(([measure, expr]) => `label_replace(${expr}, "measure", "${measure}", "", "")`)
  .join('\nor ');

/** Keyed as instanceKeys asks for it. */
export function usageOf({ data }: QueryAnswer): Map<string, Usage> {
  const all = new Map<string, Usage>();
  if (data.resultType !== 'vector') return all;
  for (const sample of data.result) {
    const value = Number(sample.value?.[1]);
    const key = sampleKey(sample);
    const measure = sample.metric.measure as Measure | undefined;
    if (!key || !measure || !Number.isFinite(value)) continue;
    all.set(key, { ...all.get(key), [measure]: value });
  }
  return all;
}

function sampleKey({ metric: m }: VectorSample): string | undefined {
  if (m.pod) return `pod ${m.namespace ?? ''}/${m.pod}/${m.container ?? ''}`;
  if (m.name) return `container ${m.name}`;
  if (m.id) return `unit ${m.id.slice(m.id.lastIndexOf('/') + 1)}`;
  return m.groupname ? `process ${m.groupname}` : undefined;
}

/** What is known of an instance, the best source first. */
export function find(usage: ReadonlyMap<string, Usage>, i: Instance): Usage {
  const keys = {
    kubernetes: [`pod ${i.namespace}/${i.instance}/${i.container}`],
    docker: [`container ${i.instance}`],
    systemd: [`unit ${i.instance}`, `process ${i.service.replace(/\.service$/, '')}`],
    process: [`process ${i.service}`],
  }[i.platform];
  const found = keys?.map((k) => usage.get(k)).find((u) => u !== undefined);
  return { ...found, memoryLimit: found?.memoryLimit ?? i.memoryLimitBytes };
}

export function useUsage() {
  const { prometheus } = useApi();
  return useQuery({
    queryKey: ['services', 'usage'],
    queryFn: async ({ signal }) => usageOf(await prometheus.query(usageQuery, undefined, signal)),
    ...useLive([], 15_000, 15_000),
  });
}
