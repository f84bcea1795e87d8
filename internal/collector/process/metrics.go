package process

import "github.com/prometheus/client_golang/prometheus"

// descs are the exported metrics.
type descs struct {
	procs, threads, states, memory, files, fileRatio, oldest *prometheus.Desc
	cpu, minor, major, read, written, switches, restarts     *prometheus.Desc
	failures, unreadable, partial                            *prometheus.Desc
}

func newDescs() descs {
	group := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("namedprocess_namegroup_"+name, help, append([]string{"groupname"}, labels...), nil)
	}
	return descs{
		procs:     group("num_procs", "Processes that run, zombies left out."),
		threads:   group("num_threads", "Threads."),
		states:    group("states", "Processes by state.", "state"),
		memory:    group("memory_bytes", "Memory in use.", "memtype"),
		files:     group("open_filedesc", "Open file descriptors."),
		fileRatio: group("worst_fd_ratio", "Open file descriptors as a share of the limit, of the process that is nearest to it."),
		oldest:    group("oldest_start_time_seconds", "When the oldest process began, in Unix time."),
		cpu:       group("cpu_seconds_total", "CPU time.", "mode"),
		minor:     group("minor_page_faults_total", "Page faults that read no disk."),
		major:     group("major_page_faults_total", "Page faults that read from disk."),
		read:      group("read_bytes_total", "Bytes read from storage."),
		written:   group("write_bytes_total", "Bytes written to storage."),
		switches:  group("context_switches_total", "Context switches of the processes' main threads.", "ctxswitchtype"),
		restarts: prometheus.NewDesc("hedgewatch_process_restarts_total",
			"Main processes that began after another one of the group had ended.", []string{"groupname"}, nil),
		failures: prometheus.NewDesc("namedprocess_scrape_errors",
			"Scrapes in which the processes could not be read, so that no group was exported.", nil, nil),
		unreadable: prometheus.NewDesc("namedprocess_scrape_procread_errors",
			"Times that a process was listed but could not be read.", nil, nil),
		partial: prometheus.NewDesc("namedprocess_scrape_partial_errors",
			"Times that a file of a process in a group could not be read.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	d := c.descs
	for _, desc := range []*prometheus.Desc{
		d.procs, d.threads, d.states, d.memory, d.files, d.fileRatio, d.oldest,
		d.cpu, d.minor, d.major, d.read, d.written, d.switches, d.restarts,
		d.failures, d.unreadable, d.partial,
	} {
		ch <- desc
	}
}

func (c *Collector) collectErrors(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(c.descs.failures, prometheus.CounterValue, float64(c.failures.Load()))
	ch <- prometheus.MustNewConstMetric(c.descs.unreadable, prometheus.CounterValue, float64(c.scanner.unreadable.Load()))
	ch <- prometheus.MustNewConstMetric(c.descs.partial, prometheus.CounterValue, float64(c.scanner.partial.Load()))
}

// appendGroup appends what is known of g. A group without processes is 0, but
// not where its processes may be out of sight.
func (d descs) appendGroup(metrics []prometheus.Metric, g *group, hidden bool, bootTime float64) []prometheus.Metric {
	now := g.now
	if now.unknown || hidden && now.procs == 0 {
		return metrics
	}
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		metrics = append(metrics, prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, append([]string{g.Name}, labels...)...))
	}
	counter := func(desc *prometheus.Desc, v float64, labels ...string) {
		metrics = append(metrics, prometheus.MustNewConstMetric(desc, prometheus.CounterValue, v, append([]string{g.Name}, labels...)...))
	}
	gauge(d.procs, float64(now.procs))
	gauge(d.threads, float64(now.threads))
	gauge(d.states, float64(now.running), "Running")
	gauge(d.states, float64(now.sleeping), "Sleeping")
	gauge(d.states, float64(now.waiting), "Waiting")
	gauge(d.states, float64(now.zombie), "Zombie")
	gauge(d.states, float64(now.other), "Other")
	gauge(d.memory, float64(now.resident), "resident")
	gauge(d.memory, float64(now.virtual), "virtual")
	counter(d.cpu, float64(g.totals[userTicks])/userHZ, "user")
	counter(d.cpu, float64(g.totals[systemTicks])/userHZ, "system")
	counter(d.minor, float64(g.totals[minorFaults]))
	counter(d.major, float64(g.totals[majorFaults]))
	counter(d.restarts, float64(g.restarts))
	if now.procs > 0 {
		gauge(d.oldest, bootTime+float64(now.oldestTicks)/userHZ)
	}
	if !now.noStatus {
		gauge(d.memory, float64(now.swapped), "swapped")
		counter(d.switches, float64(g.totals[voluntarySwitches]), "voluntary")
		counter(d.switches, float64(g.totals[involuntarySwitches]), "nonvoluntary")
	}
	if !now.noIO {
		counter(d.read, float64(g.totals[readBytes]))
		counter(d.written, float64(g.totals[writtenBytes]))
	}
	if !now.noFiles {
		gauge(d.files, float64(now.files))
		if now.procs > 0 {
			gauge(d.fileRatio, now.worstFileRatio)
		}
	}
	return metrics
}
