package services

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector exports what Services know, for a scrape job of its own: the series
// carry the label instance of the service. What a blind watcher knew is left out.
func (s *Services) Collector() prometheus.Collector { return newCollector(s) }

type collector struct {
	s *Services

	restarts, backoff, next, exit, state, incident *prometheus.Desc
	throttled                                      *prometheus.Desc
	kubeRestarts, kubeWaiting, kubeLast, kubePhase *prometheus.Desc
	up, instances, dropped, untold                 *prometheus.Desc
}

func newCollector(s *Services) *collector {
	instance := []string{"platform", "namespace", "service", "container", "instance"}
	container := []string{"namespace", "pod", "container"}
	with := func(labels []string, more ...string) []string {
		return append(labels[:len(labels):len(labels)], more...)
	}
	desc := func(name, help string, labels []string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &collector{
		s:         s,
		restarts:  desc("hedgewatch_service_restarts_total", "Ends of the process that nobody wanted, by cause, since the watcher first saw it.", with(instance, "cause")),
		backoff:   desc("hedgewatch_service_backoff", "1 while the next start is delayed because of earlier ends.", instance),
		next:      desc("hedgewatch_service_next_restart_timestamp_seconds", "When the next start is due.", instance),
		exit:      desc("hedgewatch_service_last_exit_info", "1, with the cause and the code of the last end.", with(instance, "cause", "code")),
		state:     desc("hedgewatch_service_state", "1 for the state that an instance is in.", with(instance, "state")),
		throttled: desc("hedgewatch_service_cpu_throttled_ratio", "Share of the last minutes in which a CPU limit held the instance back.", instance),
		incident:  desc("hedgewatch_service_incident", "1 for an incident that is open; told is no until it was raised.", []string{"platform", "namespace", "service", "container", "told"}),

		kubeRestarts: desc("kube_pod_container_status_restarts_total", "The number of container restarts per container.", container),
		kubeWaiting:  desc("kube_pod_container_status_waiting_reason", "Describes the reason the container is currently in waiting state.", with(container, "reason")),
		kubeLast:     desc("kube_pod_container_status_last_terminated_reason", "Describes the last reason the container was in terminated state.", with(container, "reason")),
		kubePhase:    desc("kube_pod_status_phase", "The pod's current phase; other phases are left out.", []string{"namespace", "pod", "phase"}),

		up:        desc("hedgewatch_services_watcher_up", "Whether the watcher sees its platform.", []string{"platform"}),
		instances: desc("hedgewatch_services_instances", "Instances that are watched.", nil),
		dropped:   desc("hedgewatch_services_dropped_total", "Observations of instances beyond the bound, which are not watched.", nil),
		untold:    desc("hedgewatch_services_untold_total", "Incidents that could not be raised or cleared at once.", nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.restarts, c.backoff, c.next, c.exit, c.state, c.incident, c.kubeRestarts, c.kubeWaiting, c.kubeLast,
		c.kubePhase, c.throttled, c.up, c.instances, c.dropped, c.untold,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. The metrics are made under the lock
// and handed over without it.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.gather(time.Now()) {
		ch <- m
	}
}

func (c *collector) gather(now time.Time) []prometheus.Metric {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	metrics := make([]prometheus.Metric, 0, 5*s.instances+16)
	add := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		// The only error is a wrong number of labels or a value that is no UTF-8;
		// a series less is better than none.
		if m, err := prometheus.NewConstMetric(d, t, v, labels...); err == nil {
			metrics = append(metrics, m)
		}
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	for p, f := range s.feeds {
		add(c.up, gauge, number(!f.blind()), string(p))
	}
	add(c.instances, gauge, float64(s.instances))
	add(c.dropped, counter, float64(s.dropped))
	add(c.untold, counter, float64(s.untold))
	for _, svc := range s.services {
		if f := s.feeds[svc.key.Platform]; f == nil || f.blind() {
			continue
		}
		if k := svc.key; !svc.began.IsZero() && svc.parent == nil {
			told := "no"
			if svc.told && !svc.lost {
				told = "yes"
			}
			add(c.incident, gauge, 1, string(k.Platform), k.Namespace, k.Service, k.Container, told)
		}
		for _, in := range svc.instances {
			labels := []string{string(in.Platform), in.Namespace, in.Service, in.Container, in.Instance}
			state := in.state()
			add(c.backoff, gauge, number(state == StateBackingOff), labels...)
			add(c.state, gauge, 1, append(labels, string(state))...)
			for cause, n := range in.restarts {
				add(c.restarts, counter, float64(n), append(labels, string(cause))...)
			}
			if in.NextRestart.After(now) {
				add(c.next, gauge, float64(in.NextRestart.UnixMilli())/1000, labels...)
			}
			if in.Exit != nil && in.diagnosis.Cause != "" {
				add(c.exit, gauge, 1, append(labels, string(in.diagnosis.Cause), code(in.Exit))...)
			}
			if ratio := in.throttled(); ratio != nil {
				add(c.throttled, gauge, *ratio, labels...)
			}
			if in.Platform != Kubernetes {
				continue
			}
			add(c.kubeRestarts, counter, float64(in.Restarts), in.Namespace, in.Instance, in.Container)
			if in.Condition != Running && in.Reason != "" {
				add(c.kubeWaiting, gauge, 1, in.Namespace, in.Instance, in.Container, in.Reason)
			}
			if in.Exit != nil && in.Exit.Reason != "" {
				add(c.kubeLast, gauge, 1, in.Namespace, in.Instance, in.Container, in.Exit.Reason)
			}
			if in.Phase != "" {
				add(c.kubePhase, gauge, 1, in.Namespace, in.Instance, in.Phase)
			}
		}
	}
	return metrics
}

// code is the exit's code as a label.
func code(e *Exit) string {
	if e.Unseen {
		return "unknown"
	}
	return strconv.Itoa(e.Code)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
