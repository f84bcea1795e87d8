package main

// limits shows how much of the exchange's limits is used, by whom, and for how
// long it lasts.
func limits() dashboard {
	return dashboard{
		uid: "hedgewatch-limits", title: "Binance rate limits",
		question: "Do we keep the exchange's limits, who uses them up, and is anything held back?",
		vars:     []object{variable("market", "Market", `label_values(hedgewatch_binance_used_weight, market)`)},
		rows: []row{
			{height: 5, panels: []panel{
				stat("Banned", "none", query{`sum(hedgewatch_binance_banned_until_timestamp_seconds{market=~"$market"} > bool time())`, "addresses"},
					thresholds("green", step{1, "red"}), named(map[string][2]string{"0": {"no", "green"}}), flat),
				stat("Weight limit used", "percentunit", query{
					`max(hedgewatch_binance_used_weight{market=~"$market"} / on (instance, job, market, window) group_left () hedgewatch_binance_weight_limit{market=~"$market"})`, "used",
				}, thresholds("green", step{0.8, "orange"}, step{0.95, "red"}), between(0, 1)),
				stat("Orders limit used", "percentunit", query{
					`max(hedgewatch_binance_orders_used{market=~"$market"} / on (instance, job, market, window) group_left () hedgewatch_binance_orders_limit{market=~"$market"})`, "used",
				}, thresholds("green", step{0.8, "orange"}, step{0.95, "red"}), between(0, 1), absent("no orders")),
				stat("Used by others on our address", "none", query{`sum(hedgewatch_binance_foreign_weight{market=~"$market"})`, "weight"},
					thresholds("green", step{1, "orange"}), absent("no governor"), about("Weight that bypasses the governor.")),
				stat("429 and 418", "none", query{`sum(increase(hedgewatch_binance_responses_total{market=~"$market", code=~"429|418"}[$__range]))`, "in this range"},
					thresholds("green", step{1, "red"}), flat),
			}},
			{title: "Budget", height: 9, panels: []panel{
				graph("How much of the limit is used?", "percentunit", []query{{
					`max by (market, egress) (hedgewatch_binance_used_weight{market=~"$market"} / on (instance, job, market, window) group_left () hedgewatch_binance_weight_limit{market=~"$market"})`, "{{market}} {{egress}}",
				}}, thresholds("green", step{0.8, "orange"}, step{0.95, "red"}), between(0, 1)),
				graph("Who asks?", "reqps", []query{{
					`sum by (client, priority) (rate(hedgewatch_governor_requests_total{market=~"$market"}[$__rate_interval]))`, "{{client}} ({{priority}})",
				}}, stacked, ranked, absent("no governor")),
			}},
			{title: "Governor", height: 8, panels: []panel{
				graph("With what outcome?", "reqps", []query{{
					`sum by (outcome) (rate(hedgewatch_governor_requests_total{market=~"$market"}[$__rate_interval]))`, "{{outcome}}",
				}}, stacked, absent("no governor")),
				graph("How long is a request held back?", "s", []query{{
					`histogram_quantile(0.99, sum by (priority, le) (rate(hedgewatch_governor_wait_seconds_bucket[$__rate_interval])))`, "{{priority}}",
				}}, absent("no governor")),
				graph("What does the way through the governor cost?", "s", []query{
					{`histogram_quantile(0.5, sum by (le) (rate(hedgewatch_governor_overhead_seconds_bucket[$__rate_interval])))`, "half take less than"},
					{`histogram_quantile(0.99, sum by (le) (rate(hedgewatch_governor_overhead_seconds_bucket[$__rate_interval])))`, "99 of 100 take less than"},
				}, absent("no governor")),
			}},
			{title: "Exchange", height: 8, panels: []panel{
				graph("What does the exchange answer?", "reqps", []query{{
					`sum by (code) (rate(hedgewatch_binance_responses_total{market=~"$market"}[$__rate_interval]))`, "{{code}}",
				}}, stacked),
				graph("How far off is our clock?", "s", []query{{`hedgewatch_binance_clock_offset_seconds{market=~"$market"}`, "{{market}}"}},
					thresholds("green", step{0.25, "orange"}, step{0.7, "red"}), absent("not measured"), about("Signed requests fail when it is more than a second ahead.")),
			}},
		},
	}
}
