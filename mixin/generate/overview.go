package main

// overview answers one question: is anything wrong, and where do I look?
func overview() dashboard {
	return dashboard{
		uid: "hedgewatch-overview", title: "Overview",
		question: "Is anything wrong, and where do I look? Readable from across the room; each tile leads to its dashboard.",
		rows: []row{
			{height: 5, panels: []panel{
				stat("Critical alerts", "none", query{`count(ALERTS{alertstate="firing", severity="critical"}) or vector(0)`, "critical"},
					thresholds("green", step{1, "red"}), opens("Alert path", "hedgewatch-alert-path")),
				stat("Warnings", "none", query{`count(ALERTS{alertstate="firing", severity="warning"}) or vector(0)`, "warnings"},
					thresholds("green", step{1, "orange"}), opens("Alert path", "hedgewatch-alert-path")),
				stat("Missing rows", "none", query{`sum(hedgewatch_audit_missing_rows{cause="platform"}) or sum(hedgewatch_sync_missing_rows)`, "missing"},
					thresholds("green", step{1, "red"}), absent("not audited"), opens("Data synchronisation", "hedgewatch-sync"),
					about("Rows that the exchange has and the platform lacks, by the auditor; where nothing is audited, by the services' own trackers.")),
				stat("Weight limit used", "percentunit", query{`max(hedgewatch_binance_used_weight / on (instance, job, market, window) group_left () hedgewatch_binance_weight_limit)`, "used"},
					thresholds("green", step{0.8, "orange"}, step{0.95, "red"}), between(0, 1), absent("no data"), opens("Binance rate limits", "hedgewatch-limits")),
				stat("Services backing off", "none", query{`sum(hedgewatch_service_backoff)`, "backing off"},
					thresholds("green", step{1, "red"}), absent("not watched"), opens("Service back-off", "hedgewatch-backoff")),
				stat("Targets down", "none", query{`count(up == 0) or vector(0)`, "down"},
					thresholds("green", step{1, "red"}), opens("Monitoring", "hedgewatch-self")),
			}},
			{height: 8, panels: []panel{
				states("What has been firing?", query{`max by (alertname, severity) (ALERTS{alertstate="firing", severity=~"critical|warning"} * 0 + 1)`, "{{alertname}}"},
					thresholds("red"), absent("nothing fired")).wide(12),
				graph("How many requests fail?", "percentunit", []query{{
					`sum by (job) (job_route_code:http_server_requests:rate5m{code="5xx"}) / sum by (job) (job_route_code:http_server_requests:rate5m)`, "{{job}}",
				}}, thresholds("green", step{0.01, "orange"}, step{0.05, "red"}), absent("no service is instrumented"), opens("Services", "hedgewatch-services")).wide(12),
			}},
			{height: 8, panels: []panel{
				graph("How busy are the CPUs?", "percentunit", []query{{`instance:node_cpu_utilisation:rate5m`, "{{instance}}"}},
					thresholds("green", step{0.9, "red"}), between(0, 1), opens("Host", "hedgewatch-host")),
				graph("How full is memory?", "percentunit", []query{{`instance:node_memory_utilisation:ratio`, "{{instance}}"}},
					thresholds("green", step{0.9, "red"}), between(0, 1), opens("Host", "hedgewatch-host")),
				graph("How far behind is the data?", "s", []query{
					{`max by (dataset) (hedgewatch_audit_lag_seconds)`, "{{dataset}} (audited)"},
					{`histogram_quantile(0.99, sum by (dataset, le) (rate(hedgewatch_sync_lag_seconds_bucket[$__rate_interval])))`, "{{dataset}} (services)"},
				}, absent("no data"), opens("Data synchronisation", "hedgewatch-sync")),
			}},
		},
	}
}
