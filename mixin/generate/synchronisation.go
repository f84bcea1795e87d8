package main

// synchronisation shows whether the platform's data is complete and current.
func synchronisation() dashboard {
	return dashboard{
		uid: "hedgewatch-sync", title: "Data synchronisation",
		question: "Is everything that the exchange has in the platform's tables, correct and in time?",
		from:     "now-6h",
		vars: []object{
			variable("dataset", "Dataset", `label_values({__name__=~"hedgewatch_audit_lag_seconds|hedgewatch_sync_rows_total"}, dataset)`),
			variable("symbol", "Symbol", `label_values({__name__=~"hedgewatch_audit_lag_seconds|hedgewatch_sync_rows_total", dataset=~"$dataset"}, symbol)`),
		},
		rows: []row{
			{height: 4, panels: []panel{
				stat("Missing, ours", "none", query{`sum(hedgewatch_audit_missing_rows{dataset=~"$dataset", symbol=~"$symbol", cause="platform"})`, "rows"},
					thresholds("green", step{1, "red"}), absent("not audited"), about("Rows that the exchange has and the platform lacks.")),
				stat("Missing at the exchange", "none", query{`sum(hedgewatch_audit_missing_rows{dataset=~"$dataset", symbol=~"$symbol", cause="exchange"})`, "rows"},
					thresholds("green"), absent("not audited"), about("Halts and the like: there is nothing to fetch.")),
				stat("Duplicates", "none", query{`sum(hedgewatch_audit_duplicate_rows{dataset=~"$dataset", symbol=~"$symbol"})`, "rows"},
					thresholds("green", step{1, "orange"}), absent("not audited")),
				stat("Different values", "none", query{`sum(hedgewatch_audit_mismatched_rows{dataset=~"$dataset", symbol=~"$symbol"})`, "rows"},
					thresholds("green", step{1, "red"}), absent("not audited")),
				stat("Furthest behind", "s", query{`max(hedgewatch_audit_lag_seconds{dataset=~"$dataset", symbol=~"$symbol"})`, "lag"},
					thresholds("green", step{120, "orange"}, step{300, "red"}), absent("not audited")),
				stat("Last audit", "s", query{`time() - min(hedgewatch_audit_last_success_timestamp_seconds{dataset=~"$dataset"})`, "ago"},
					thresholds("green", step{3600, "orange"}, step{86400, "red"}), flat, absent("never")),
			}},
			{title: "By the auditor, who compares the tables with the exchange", height: 9, panels: []panel{
				graph("Where are rows missing?", "none", []query{{
					`sum by (dataset, account, symbol, cause) (hedgewatch_audit_missing_rows{dataset=~"$dataset", symbol=~"$symbol"}) > 0`, "{{dataset}} {{account}} {{symbol}} ({{cause}})",
				}}, ranked, absent("nowhere")),
				graph("Until when is the data proven?", "s", []query{{
					`time() - min by (dataset) (hedgewatch_audit_verified_until_timestamp_seconds{dataset=~"$dataset", symbol=~"$symbol"})`, "{{dataset}}",
				}}, absent("not audited"), about("Age of the oldest range that is not verified yet.")),
			}},
			{title: "By the services, who count what they store", height: 9, panels: []panel{
				graph("How much is stored?", "rowsps", []query{{
					`sum by (dataset, outcome) (rate(hedgewatch_sync_rows_total{dataset=~"$dataset", symbol=~"$symbol"}[$__rate_interval]))`, "{{dataset}} {{outcome}}",
				}}, stacked),
				graph("How late does a row arrive?", "s", []query{{
					`histogram_quantile(0.99, sum by (dataset, le) (rate(hedgewatch_sync_lag_seconds_bucket{dataset=~"$dataset"}[$__rate_interval])))`, "{{dataset}}",
				}}, about("From the event at the exchange until its row is committed; of a hundred rows, ninety-nine arrive sooner.")),
				graph("Where do rows seem to be missing?", "none", []query{{
					`sum by (dataset, account, symbol) (hedgewatch_sync_missing_rows{dataset=~"$dataset", symbol=~"$symbol"}) > 0`, "{{dataset}} {{account}} {{symbol}}",
				}}, ranked, absent("nowhere")),
			}},
			{title: "Streams", height: 8, panels: []panel{
				graph("How long is each stream silent?", "s", []query{{
					`topk(20, time() - hedgewatch_binance_stream_last_message_timestamp_seconds)`, "{{market}} {{stream}}",
				}}, ranked),
				graph("How often do streams reconnect?", "none", []query{{
					`sum by (market) (increase(hedgewatch_binance_stream_reconnects_total[$__rate_interval]))`, "{{market}}",
				}}),
				graph("Does the witness of the audit see them?", "none", []query{{
					`max by (market) (hedgewatch_audit_witness_up)`, "{{market}}",
				}}, absent("no witness"), about("1: sent to hedgewatch as they happen. 0: what is missing is found by requests only, later.")),
			}},
		},
	}
}
