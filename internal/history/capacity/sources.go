package capacity

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kinds of what is looked at.
const (
	Host      = "host"
	Workload  = "workload"  // Pods of Kubernetes, one container of all replicas.
	Container = "container" // Docker or Podman.
	Unit      = "unit"      // systemd.
	Process   = "process"   // A process group.
	Exchange  = "exchange"
	Database  = "database"
)

// Kinds lists them in the order of a report.
var kinds = []string{Host, Workload, Container, Unit, Process, Exchange, Database}

// Resources.
const (
	cpu         = "cpu"
	memory      = "memory"
	disk        = "disk"
	weight      = "request weight"
	orders      = "orders"
	connections = "connections"
	size        = "size"
)

// Units of values.
const (
	cores = "cores"
	bytes = "bytes"
	count = "count"
)

// source says how one resource of one kind of subject is read.
//
// In its expressions $w is the time that one value stands for, $range all of
// the time that is looked at, and $m a place for matchers of one subject. Pods
// are replaced all the time, so what they are called without their replica's
// suffix is the subject, and its use at each instant is that of its busiest pod.
type source struct {
	kind, resource, unit string
	// names are the labels that a subject is called by, others tell apart
	// subjects of one name.
	names, others []string
	use           string
	// The first of limits that knows a subject holds for it, also of requests.
	// Their labels may be fewer than the subject's.
	limits, requests []string
	// kills counts kills for memory, throttled is the share of the CPU's periods
	// in which a limit held the subject back.
	kills, throttled []string
	// replicas counts those that share a name.
	replicas []string
}

// A pod's name ends in what Kubernetes has generated of this alphabet, or in
// its number.
const (
	generated   = "[bcdfghjklmnpqrstvwxz2456789]"
	podSuffix   = "(?:-" + generated + "{6,10}-" + generated + "{5}|-[0-9]{8,}-" + generated + "{5}|-" + generated + "{5}|-[0-9]+)?"
	podWorkload = `^(.+?)` + podSuffix + `$`
	pods        = `pod!="",container!="",container!="POD",$m`
	docker      = `pod="",container="",name!="",$m`
	units       = `pod="",container="",name="",id=~"/.+[.]service",$m`
	realDisks   = `fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660|nsfs|autofs",$m`
	noLimit     = "(%s > 0 < 1e18)" // cAdvisor says 0 or about 2^63.
)

// byPod makes an expression with the labels of pods one by workload.
func byPod(aggregation, expr string) string {
	return fmt.Sprintf(`%s by (cluster, namespace, workload, container) (label_replace(%s, "workload", "$1", "pod", %q))`, aggregation, expr, podWorkload)
}

// byUnit does the same for the cgroups of units.
func byUnit(aggregation, expr string) string {
	return fmt.Sprintf(`%s by (cluster, job, instance, unit) (label_replace(%s, "unit", "$1", "id", %q))`, aggregation, expr, `^.*/([^/]+)[.]service$`)
}

func byContainer(aggregation, expr string) string {
	return aggregation + " by (cluster, job, instance, name) (" + expr + ")"
}

// cadvisor are CPU and memory of what cAdvisor sees, under the labels of by.
func cadvisor(kind, selector string, names, others []string, by func(aggregation, expr string) string) []source {
	metric := func(name, window string) string { return "container_" + name + "{" + selector + "}" + window }
	return []source{
		{
			kind: kind, resource: cpu, unit: cores, names: names, others: others,
			use:       by("max", "sum without (cpu) (rate("+metric("cpu_usage_seconds_total", "[$w]")+"))"),
			limits:    []string{by("max", fmt.Sprintf(noLimit, "last_over_time("+metric("spec_cpu_quota", "[1h]")+") / last_over_time("+metric("spec_cpu_period", "[1h]")+")"))},
			throttled: []string{by("max", "increase("+metric("cpu_cfs_throttled_periods_total", "[$range]")+") / (increase("+metric("cpu_cfs_periods_total", "[$range]")+") > 0)")},
		},
		{
			kind: kind, resource: memory, unit: bytes, names: names, others: others,
			use:    by("max", "max_over_time("+metric("memory_working_set_bytes", "[$w]")+")"),
			limits: []string{by("max", fmt.Sprintf(noLimit, "last_over_time("+metric("spec_memory_limit_bytes", "[1h]")+")"))},
			kills:  []string{by("sum", "increase("+metric("oom_events_total", "[$range]")+")")},
		},
	}
}

// kubernetes adds what kube-state-metrics and hedgewatch know to the sources of pods.
func kubernetes(sources []source) []source {
	kube := func(what, resource string) []string {
		return []string{byPod("max", fmt.Sprintf(`last_over_time(kube_pod_container_resource_%s{resource=%q,pod!="",$m}[1h])`, what, resource))}
	}
	running := byPod("count", "count by (cluster, namespace, pod, container) (container_memory_working_set_bytes{"+pods+"})")
	for i, s := range sources {
		sources[i].replicas = []string{running}
		sources[i].limits = append(kube("limits", s.resource), s.limits...)
		sources[i].requests = kube("requests", s.resource)
		if s.resource == memory {
			// A pod that is killed gets a new cgroup, and cAdvisor's count starts over.
			sources[i].kills = append(sources[i].kills,
				byPod("sum", `max_over_time(kube_pod_container_status_last_terminated_reason{reason="OOMKilled",pod!="",$m}[$range])`))
		}
	}
	return sources
}

func sources() []source {
	machine := []string{"cluster", "job"}
	return slices.Concat([]source{
		{
			kind: Host, resource: cpu, unit: cores, names: []string{"instance"}, others: machine,
			use:    `sum by (cluster, job, instance) (rate(node_cpu_seconds_total{mode!~"idle|iowait",$m}[$w]))`,
			limits: []string{`count by (cluster, job, instance) (last_over_time(node_cpu_seconds_total{mode="idle",$m}[1h]))`},
		},
		{
			kind: Host, resource: memory, unit: bytes, names: []string{"instance"}, others: machine,
			use: `max by (cluster, job, instance) (last_over_time(node_memory_MemTotal_bytes{$m}[$w]))` +
				` - max by (cluster, job, instance) (min_over_time(node_memory_MemAvailable_bytes{$m}[$w]))`,
			limits: []string{`max by (cluster, job, instance) (last_over_time(node_memory_MemTotal_bytes{$m}[1h]))`},
			kills:  []string{`sum by (cluster, job, instance) (increase(node_vmstat_oom_kill{$m}[$range]))`},
		},
		{
			kind: Host, resource: disk, unit: bytes, names: []string{"instance", "mountpoint"}, others: append(machine, "device"),
			use: `max by (cluster, job, instance, device, mountpoint) (last_over_time(node_filesystem_size_bytes{` + realDisks + `}[$w]))` +
				` - max by (cluster, job, instance, device, mountpoint) (min_over_time(node_filesystem_avail_bytes{` + realDisks + `}[$w]))`,
			limits: []string{`max by (cluster, job, instance, device, mountpoint) (last_over_time(node_filesystem_size_bytes{` + realDisks + `}[1h]))`},
		},
		{
			kind: Process, resource: cpu, unit: cores, names: []string{"groupname"}, others: append(machine, "instance"),
			use: `sum by (cluster, job, instance, groupname) (rate(namedprocess_namegroup_cpu_seconds_total{$m}[$w]))`,
		},
		{
			kind: Process, resource: memory, unit: bytes, names: []string{"groupname"}, others: append(machine, "instance"),
			use: `sum by (cluster, job, instance, groupname) (max_over_time(namedprocess_namegroup_memory_bytes{memtype="resident",$m}[$w]))`,
		},
		{
			kind: Exchange, resource: weight, unit: count, names: []string{"market", "egress", "window"}, others: machine,
			use:    `max by (cluster, job, market, egress, window) (max_over_time(hedgewatch_binance_used_weight{$m}[$w]))`,
			limits: []string{`max by (cluster, job, market, window) (last_over_time(hedgewatch_binance_weight_limit{$m}[1h]))`},
		},
		{
			kind: Exchange, resource: orders, unit: count, names: []string{"market", "account", "window"}, others: machine,
			use:    `max by (cluster, job, market, account, window) (max_over_time(hedgewatch_binance_orders_used{$m}[$w]))`,
			limits: []string{`max by (cluster, job, market, window) (last_over_time(hedgewatch_binance_orders_limit{$m}[1h]))`},
		},
		{
			kind: Database, resource: connections, unit: count, names: []string{"instance"}, others: machine,
			use:    `sum by (cluster, job, instance) (max_over_time(pg_stat_database_numbackends{$m}[$w]))`,
			limits: []string{`max by (cluster, job, instance) (last_over_time(pg_settings_max_connections{$m}[1h]))`},
		},
		{
			kind: Database, resource: size, unit: bytes, names: []string{"instance", "datname"}, others: machine,
			use: `max by (cluster, job, instance, datname) (max_over_time(pg_database_size_bytes{datname!~"template.*",$m}[$w]))`,
		},
	},
		kubernetes(cadvisor(Workload, pods, []string{"namespace", "workload", "container"}, []string{"cluster"}, byPod)),
		cadvisor(Container, docker, []string{"name"}, append(machine, "instance"), byContainer),
		cadvisor(Unit, units, []string{"unit"}, append(machine, "instance"), byUnit))
}

// name is what people call a subject.
func (s source) name(labels map[string]string) string {
	var parts []string
	for _, n := range s.names {
		if v := labels[n]; v != "" && !slices.Contains(parts, v) {
			parts = append(parts, v)
		}
	}
	separator := " "
	if s.kind == Workload {
		separator = "/"
	}
	return strings.Join(parts, separator)
}

// explore is the expression that draws one subject.
func (s source) explore(labels map[string]string) string {
	var matchers []string
	for _, name := range slices.Concat(s.others, s.names) {
		value, ok := labels[name]
		switch {
		case !ok:
		case name == "workload":
			matchers = append(matchers, fmt.Sprintf("pod=~%q", regexp.QuoteMeta(value)+podSuffix))
		case name == "unit":
			matchers = append(matchers, fmt.Sprintf("id=~%q", ".*/"+regexp.QuoteMeta(value)+"[.]service"))
		default:
			matchers = append(matchers, fmt.Sprintf("%s=%q", name, value))
		}
	}
	return strings.NewReplacer("$w", "5m", "$m", strings.Join(matchers, ",")).Replace(s.use)
}
