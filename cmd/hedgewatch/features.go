package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// featureSwitches are Prometheus' feature flags that have an effect here. Those that
// change defaults of the configuration are left out: the file has a key for
// each of them.
func featureSwitches() map[string]func(*runFlags) {
	return map[string]func(*runFlags){
		"promql-experimental-functions":   func(f *runFlags) { f.store.Query.Parser.EnableExperimentalFunctions = true },
		"promql-extended-range-selectors": func(f *runFlags) { f.store.Query.Parser.EnableExtendedRangeSelectors = true },
		"promql-binop-fill-modifiers":     func(f *runFlags) { f.store.Query.Parser.EnableBinopFillModifiers = true },
		"promql-per-step-stats":           func(f *runFlags) { f.store.Query.PerStepStats = true },
		"promql-delayed-name-removal":     func(f *runFlags) { f.store.Query.DelayedNameRemoval = true },
		"otlp-deltatocumulative":          func(f *runFlags) { f.web.OTLPDeltaToCumulative = true },
		"otlp-native-delta-ingestion":     func(f *runFlags) { f.web.OTLPNativeDelta = true },
		"search-api":                      func(f *runFlags) { f.web.EnableSearch = true },
		"use-start-timestamps":            func(f *runFlags) { f.store.Query.UseStartTimestamps = true },
		"type-and-unit-labels": func(f *runFlags) {
			f.web.TypeAndUnitLabels = true
			f.store.Query.TypeAndUnitLabels = true
		},
	}
}

func featureNames() []string { return slices.Sorted(maps.Keys(featureSwitches())) }

// enableFeatures applies --enable-feature. An unknown name is an error: a
// misspelt feature would silently be off.
func enableFeatures(f *runFlags) error {
	// Duration expressions are part of PromQL since Prometheus 3.13.
	f.store.Query.Parser.ExperimentalDurationExpr = true
	for _, list := range f.features {
		for name := range strings.SplitSeq(list, ",") {
			enable, ok := featureSwitches()[name]
			if !ok {
				return fmt.Errorf("--enable-feature=%s: no such feature; known are %s", name, strings.Join(featureNames(), ", "))
			}
			enable(f)
		}
	}
	return nil
}
