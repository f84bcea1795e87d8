package main

// alertPath shows whether people are told, and how fast.
func alertPath() dashboard {
	return dashboard{
		uid: "hedgewatch-alert-path", title: "Alert path",
		question: "Are people told, how fast, and does any message wait?",
		rows: []row{
			{height: 4, panels: []panel{
				stat("Oldest undelivered message", "s", query{`max(hedgewatch_outbox_oldest_seconds)`, "age"},
					thresholds("green", step{10, "orange"}, step{60, "red"}), absent("no receivers")),
				stat("From breach to message", "s", query{
					`histogram_quantile(0.99, sum by (le) (rate(hedgewatch_alert_latency_seconds_bucket{stage="total"}[$__range])))`, "p99",
				}, thresholds("green", step{5, "orange"}, step{60, "red"}), flat, absent("nothing sent")),
				stat("Failed attempts", "none", query{`sum(increase(hedgewatch_deliveries_total{outcome=~"retry|rejected|dead|expired"}[$__range]))`, "in this range"},
					thresholds("green", step{1, "orange"}), flat, absent("none")),
				stat("Active alerts", "none", query{`sum(alertmanager_alerts{state="active"})`, "active"}, thresholds("green", step{1, "orange"})),
				stat("Silenced alerts", "none", query{`sum(alertmanager_alerts{state="suppressed"})`, "suppressed"}, thresholds("text")),
			}},
			{height: 9, panels: []panel{
				states("What has been firing?", query{`max by (alertname, severity) (ALERTS{alertstate="firing", severity!="none"} * 0 + 1)`, "{{alertname}} ({{severity}})"},
					thresholds("red"), absent("nothing fired")),
				graph("Where does the time go?", "s", []query{{
					`histogram_quantile(0.99, sum by (stage, le) (rate(hedgewatch_alert_latency_seconds_bucket[$__rate_interval])))`, "{{stage}}",
				}}, absent("nothing sent"), about("scrape: from the sample to its commit; evaluate: to the rule's result; group: to the outbox; send: to the receiver's answer.")),
			}},
			{height: 8, panels: []panel{
				graph("What became of each attempt?", "none", []query{{
					`sum by (receiver, outcome) (increase(hedgewatch_deliveries_total[$__rate_interval]))`, "{{receiver}} {{outcome}}",
				}}, stacked, absent("nothing sent")),
				graph("What waits?", "s", []query{{`hedgewatch_outbox_oldest_seconds`, "{{receiver}} {{integration}}"}},
					thresholds("green", step{60, "red"}), absent("no receivers")),
				graph("What starts an evaluation?", "ops", []query{{`sum by (trigger) (rate(hedgewatch_ruler_evaluations_total[$__rate_interval]))`, "{{trigger}}"}}, stacked),
			}},
		},
	}
}
