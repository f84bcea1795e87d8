package alerting

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"
)

// DeliveryConfig is the `delivery` section: how messages get to their
// destinations, and what is remembered of it.
type DeliveryConfig struct {
	// GiveUpAfter is how long a message is tried.
	GiveUpAfter model.Duration `yaml:"give_up_after"`
	// SendTimeout bounds one attempt. Mail has minMailTimeout at least.
	SendTimeout model.Duration `yaml:"send_timeout"`
	Storm       StormConfig    `yaml:"storm"`
	Ledger      LedgerConfig   `yaml:"ledger"`
	// Receivers are settings by receiver, Defaults those of all the others.
	Defaults  ReceiverSettings `yaml:"defaults,omitempty"`
	Receivers []NamedSettings  `yaml:"receivers,omitempty"`
}

// StormConfig says when a destination gets one digest for many groups.
type StormConfig struct {
	// Groups is how many may come within Window before it is a storm; 0 is any
	// number.
	Groups int            `yaml:"groups"`
	Window model.Duration `yaml:"window"`
	// Except names receivers that get every message.
	Except []string `yaml:"except,omitempty"`
}

// LedgerConfig bounds the delivery ledger.
type LedgerConfig struct {
	Retention model.Duration   `yaml:"retention"`
	MaxSize   units.Base2Bytes `yaml:"max_size"`
}

// minMailTimeout is the time of an attempt to send mail: servers make a point
// of being slow.
const minMailTimeout = 30 * time.Second

// DefaultDelivery is what a file without a `delivery` section means.
func DefaultDelivery() DeliveryConfig {
	return DeliveryConfig{
		GiveUpAfter: model.Duration(24 * time.Hour),
		SendTimeout: model.Duration(4 * time.Second),
		Storm:       StormConfig{Groups: 10, Window: model.Duration(5 * time.Second)},
		Ledger:      LedgerConfig{Retention: model.Duration(30 * 24 * time.Hour), MaxSize: 256 * units.MiB},
	}
}

// Validate reports all errors at once.
func (c DeliveryConfig) Validate() error {
	var errs []error
	between := func(name string, d model.Duration, low, high time.Duration) {
		if time.Duration(d) < low || time.Duration(d) > high {
			errs = append(errs, fmt.Errorf("delivery.%s: %s is out of range; use %s to %s", name, d, model.Duration(low), model.Duration(high)))
		}
	}
	between("give_up_after", c.GiveUpAfter, time.Minute, 30*24*time.Hour)
	between("send_timeout", c.SendTimeout, 100*time.Millisecond, time.Minute)
	between("storm.window", c.Storm.Window, time.Second, time.Minute)
	between("ledger.retention", c.Ledger.Retention, time.Hour, 10*365*24*time.Hour)
	if c.Storm.Groups < 0 {
		errs = append(errs, fmt.Errorf("delivery.storm.groups: %d is negative; use 0 to get every message", c.Storm.Groups))
	}
	if c.Ledger.MaxSize < 2*segmentBytes {
		errs = append(errs, fmt.Errorf("delivery.ledger.max_size: %s is too small; use at least %s", c.Ledger.MaxSize, units.Base2Bytes(2*segmentBytes)))
	}
	return errors.Join(errs...)
}

// deliverySettings are those of one destination.
type deliverySettings struct {
	giveUpAfter time.Duration
	stormGroups int // 0: no storms
	stormWindow time.Duration
}

func (c DeliveryConfig) settings(receiver string) deliverySettings {
	s := deliverySettings{
		giveUpAfter: time.Duration(c.GiveUpAfter),
		stormGroups: c.Storm.Groups,
		stormWindow: time.Duration(c.Storm.Window),
	}
	if slices.Contains(c.Storm.Except, receiver) {
		s.stormGroups = 0
	}
	return s
}

func (c DeliveryConfig) timeout(integration string) time.Duration {
	if integration == "email" {
		return max(time.Duration(c.SendTimeout), minMailTimeout)
	}
	return time.Duration(c.SendTimeout)
}
