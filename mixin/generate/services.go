package main

// services shows rate, errors and duration of what the platform serves and asks.
func services() dashboard {
	// What services-recording.yml makes of each library's series.
	requests := `job_route_code:http_server_requests:rate5m{job=~"$job", route=~"$route"`
	durations := `job_route:http_server_request_duration_seconds:p99_5m{job=~"$job", route=~"$route"}`
	return dashboard{
		uid: "hedgewatch-services", title: "Service errors and latency",
		question: "Which service fails or is slow, on which route, and does it fail itself or what it asks?",
		vars: []object{
			variable("job", "Service", `label_values(job_route_code:http_server_requests:rate5m, job)`),
			variable("route", "Route", `label_values(job_route_code:http_server_requests:rate5m{job=~"$job"}, route)`),
		},
		rows: []row{
			{height: 4, panels: []panel{
				stat("Requests", "reqps", query{`sum(` + requests + `})`, "all"}),
				stat("Failing", "percentunit", query{
					`sum(` + requests + `, code="5xx"}) / sum(` + requests + `})`, "share",
				}, thresholds("green", step{0.01, "orange"}, step{0.05, "red"})),
				stat("99 of 100 take less than", "s", query{
					`max(` + durations + `)`, "slowest route",
				}, thresholds("green", step{1, "orange"}, step{5, "red"})),
				stat("Panics", "none", query{`sum(increase(hedgewatch_service_panics_total{job=~"$job"}[$__range])) or sum(increase(http_server_panics_total{job=~"$job"}[$__range]))`, "in this range"},
					thresholds("green", step{1, "red"}), flat),
			}},
			{title: "What is asked of us", height: 9, panels: []panel{
				graph("Which routes fail?", "percentunit", []query{{
					`sum by (job, route) (` + requests + `, code="5xx"}) / sum by (job, route) (` + requests + `}) > 0`, "{{job}} {{route}}",
				}}, thresholds("green", step{0.05, "red"}), ranked, absent("none")),
				graph("Which routes are slow?", "s", []query{{
					durations, "{{job}} {{route}}",
				}}, ranked, about("Of a hundred requests, ninety-nine take less.")),
			}},
			{height: 8, panels: []panel{
				graph("How much is asked?", "reqps", []query{{`sum by (job) (` + requests + `})`, "{{job}}"}}, stacked),
				graph("With what answer?", "reqps", []query{{`sum by (code) (` + requests + `})`, "{{code}}"}}, stacked),
			}},
			{title: "What we ask of others", height: 8, panels: []panel{
				graph("Whose answers fail?", "percentunit", []query{{
					`sum by (job, peer) (rate(http_client_requests_total{job=~"$job", code=~"5xx|error"}[$__rate_interval])) / sum by (job, peer) (rate(http_client_requests_total{job=~"$job"}[$__rate_interval])) > 0`, "{{job}} → {{peer}}",
				}}, thresholds("green", step{0.05, "red"}), absent("none")),
				graph("Whose answers are slow?", "s", []query{{
					`histogram_quantile(0.99, sum by (job, peer, le) (rate(http_client_request_duration_seconds_bucket{job=~"$job"}[$__rate_interval])))`, "{{job}} → {{peer}}",
				}}),
			}},
			{title: "Jobs", height: 8, panels: []panel{
				graph("When did each job last succeed?", "s", []query{{`time() - hedgewatch_job_last_success_timestamp_seconds{job=~"$job"}`, "{{task}}"}}, ranked),
				graph("Which jobs fail?", "none", []query{{`sum by (task) (increase(hedgewatch_job_runs_total{job=~"$job", outcome="failure"}[$__rate_interval])) > 0`, "{{task}}"}}, absent("none")),
			}},
		},
	}
}
