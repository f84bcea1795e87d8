package main

import (
	"context"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/hedgewatch/hedgewatch/internal/audit"
	"github.com/hedgewatch/hedgewatch/internal/audit/httpsource"
)

func isServer(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

// auditServer reads a dataset from a server of the contract in docs/audit.md.
func (f *databaseFlags) auditServer(ctx context.Context, source, market string, o audit.Options) (audit.Report, error) {
	c := httpsource.DefaultConfig()
	c.URL, c.Timeout = source, model.Duration(f.timeout)
	server, err := httpsource.Open(c)
	if err != nil {
		return audit.Report{}, err
	}
	defer server.Close()
	table, err := server.Table(httpsource.Mapping{Dataset: f.mapping.Dataset, Table: f.mapping.Table}, audit.Series{Market: market})
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Once(ctx, table, o)
}
