package kubernetes

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Config says which cluster is watched.
type Config struct {
	// Kubeconfig is a file of kubectl's form; empty means the cluster in which
	// this process runs.
	Kubeconfig string `yaml:"kubeconfig,omitempty"`
	// Namespace bounds the watch to one namespace, for which a Role is enough;
	// nodes are not watched then. Empty means all.
	Namespace string `yaml:"namespace,omitempty"`
}

// Validate reports what is wrong.
func (c Config) Validate() error {
	if c.Namespace != "" && len(validation.IsDNS1123Label(c.Namespace)) > 0 {
		return fmt.Errorf("namespace: %q is no name of a namespace", c.Namespace)
	}
	return nil
}
