package main

import "context"

// A row is one thing to measure.
type row struct {
	name  string
	about string
	// measure returns one result for each line of the table.
	measure func(context.Context, *bench) ([]result, error)
}

// rows are all that is measured, in the order of the table.
func rows() []row {
	return []row{
		{"binary", "size of the files to install", measureBinary},
		{"start", "from exec to ready, and on to the first scrape", measureStart},
		{"idle", "memory and CPU while this host is watched", measureIdle},
		{"load", "100,000 series at 15 s, both at once", measureLoad},
		{"queries", "ten queries on the same 24 hours, in turn", measureQueries},
		{"governor", "requests to the exchange, straight and through proxies", measureGovernor},
		{"limits", "ten times the exchange's limit for 30 simulated minutes", measureLimits},
		{"alerts", "from a breach to the POST, and from its end", measureAlerts},
		{"push", "from a pushed breach to the POST, among 100,000 series", measurePush},
		{"outage", "from the end of a receiver's outage to the POST", measureOutages},
		{"crash", "what kill -9 makes the alert path forget", measureCrashes},
		{"storm", "10,000 alerts at once, to Discord", measureStorm},
		{"rules", "1,000 rules each second", measureRules},
		{"services", "from a service's end to the POST, and 5,000 pods", measureServices},
		{"audit", "bars in PostgreSQL, verified and only counted", measureAudit},
		{"archive", "bars in zips as the exchange's archive has them", measureArchive},
		{"ui", "a dashboard in a browser", measureUI},
		{"commit", "what evaluation on commit adds", measureCommit},
	}
}
