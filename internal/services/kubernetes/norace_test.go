//go:build !race

package kubernetes_test

const manyPods = 4000
