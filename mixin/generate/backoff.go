package main

// backoff shows services that restart, and why.
func backoff() dashboard {
	return dashboard{
		uid: "hedgewatch-backoff", title: "Service back-off",
		question: "Which service restarts, why, and when does it try again?",
		from:     "now-3h",
		vars:     []object{variable("service", "Service", `label_values(hedgewatch_service_restarts_total, service)`)},
		rows: []row{
			{height: 4, panels: []panel{
				stat("Backing off", "none", query{`sum(hedgewatch_service_backoff{service=~"$service"})`, "services"},
					thresholds("green", step{1, "red"}), absent("not watched")),
				stat("Restarts", "none", query{`round(sum(increase(hedgewatch_service_restarts_total{service=~"$service"}[$__range])))`, "in this range"},
					thresholds("green", step{1, "orange"}, step{10, "red"}), flat, absent("not watched")),
				stat("Next try", "dateTimeFromNow", query{`min(hedgewatch_service_next_restart_timestamp_seconds{service=~"$service"} > time()) * 1000`, "next"}, flat, absent("none")),
			}},
			{height: 9, panels: []panel{
				states("Who is backing off?", query{`max by (platform, namespace, service, instance) (hedgewatch_service_backoff{service=~"$service"})`, "{{namespace}} {{service}} {{instance}}"},
					thresholds("green", step{1, "red"}), absent("not watched")).wide(14),
				table("Why did it stop?", "none", query{`max by (platform, namespace, service, instance, cause, code) (hedgewatch_service_last_exit_info{service=~"$service"})`, ""}, "now",
					[][2]string{{"service", "Service"}, {"cause", "Cause"}, {"code", "Code"}, {"instance", "Instance"}, {"namespace", "Namespace"}, {"platform", "Platform"}}, absent("none")).wide(10),
			}},
			{height: 8, panels: []panel{
				graph("How often does it restart?", "none", []query{{
					`sum by (service, cause) (increase(hedgewatch_service_restarts_total{service=~"$service"}[$__rate_interval])) > 0`, "{{service}} ({{cause}})",
				}}, stacked, absent("never")),
				graph("Is it memory?", "percentunit", []query{{
					`max by (groupname) (namedprocess_namegroup_memory_bytes{memtype="resident"}) / scalar(max(node_memory_MemTotal_bytes))`, "{{groupname}}",
				}}, absent("no process groups")),
			}},
		},
	}
}
