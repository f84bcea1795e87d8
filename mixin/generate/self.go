package main

// self shows the monitoring itself.
func self() dashboard {
	return dashboard{
		uid: "hedgewatch-self", title: "Monitoring",
		question: "Does the monitoring see everything, and what does it cost?",
		vars:     []object{variable("job", "Job", `label_values(up, job)`)},
		rows: []row{
			{height: 4, panels: []panel{
				stat("Targets up", "none", query{`sum(up{job=~"$job"})`, "up"}, thresholds("green")),
				stat("Targets down", "none", query{`count(up{job=~"$job"} == 0) or vector(0)`, "down"}, thresholds("green", step{1, "red"})),
				stat("Series", "short", query{`sum(prometheus_tsdb_head_series)`, "in memory"}, thresholds("text")),
				stat("Samples", "short", query{`sum(rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))`, "a second"}, thresholds("text")),
				stat("Failing rules", "none", query{`sum(increase(prometheus_rule_evaluation_failures_total[$__range]))`, "evaluations"}, thresholds("green", step{1, "red"}), flat),
				stat("Configuration", "none", query{`min(prometheus_config_last_reload_successful)`, "reload"},
					thresholds("red", step{1, "green"}), named(map[string][2]string{"0": {"refused", "red"}, "1": {"current", "green"}}), flat),
			}},
			{title: "Targets", height: 9, panels: []panel{
				states("Which targets were down?", query{`max by (job, instance) (up{job=~"$job"})`, "{{job}} {{instance}}"}, thresholds("red", step{1, "green"}),
					named(map[string][2]string{"0": {"down", "red"}, "1": {"up", "green"}})),
				graph("How long does a scrape take?", "s", []query{{`topk(15, scrape_duration_seconds{job=~"$job"})`, "{{job}} {{instance}}"}}, ranked),
				graph("Who has many series?", "short", []query{{`topk(15, scrape_samples_post_metric_relabeling{job=~"$job"})`, "{{job}} {{instance}}"}}, ranked),
			}},
			{title: "Cost", height: 8, panels: []panel{
				graph("CPU", "none", []query{{`rate(process_cpu_seconds_total{job=~"$job"}[$__rate_interval])`, "{{job}} {{instance}}"}}, about("In cores.")),
				graph("Memory", "bytes", []query{{`process_resident_memory_bytes{job=~"$job"}`, "{{job}} {{instance}}"}}),
				graph("Disk", "bytes", []query{
					{`sum(prometheus_tsdb_storage_blocks_bytes)`, "blocks"},
					{`sum(prometheus_tsdb_wal_storage_size_bytes)`, "write-ahead log"},
				}, stacked),
			}},
			{title: "Rules and queries", height: 8, panels: []panel{
				bars("Which groups take longest?", "s", query{`topk(10, prometheus_rule_group_last_duration_seconds)`, "{{rule_group}}"}),
				graph("How long do queries take?", "s", []query{{
					`max by (slice) (prometheus_engine_query_duration_seconds{quantile="0.99"})`, "{{slice}}",
				}}, about("Of a hundred queries, ninety-nine take less.")),
			}},
		},
	}
}
