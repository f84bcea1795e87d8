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
	}
}
