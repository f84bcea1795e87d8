package config

import (
	"reflect"

	"github.com/hedgewatch/hedgewatch/internal/alerting"
)

// delivery loads the section about how notifications get to their receivers,
// which the alertmanager section has named before.
func (l *loader) delivery(n *node) {
	validate := alerting.DeliveryConfig.Validate
	if am := l.config.Alerting; am != nil {
		validate = func(c alerting.DeliveryConfig) error { return c.ValidateFor(am.Alertmanager) }
	}
	c := decode(l, n, alerting.DefaultDelivery(), validate)
	c.SetDirectory(l.dir)
	l.config.Delivery = c
}

func showDelivery(c *Config) any {
	if reflect.DeepEqual(c.Delivery, alerting.DefaultDelivery()) {
		return nil
	}
	return c.Delivery
}
