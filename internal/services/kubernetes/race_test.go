//go:build race

package kubernetes_test

// The race detector makes each pod ten times as dear.
const manyPods = 1000
