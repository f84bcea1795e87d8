package drill

import (
	"errors"
	"fmt"

	"github.com/hedgewatch/hedgewatch/internal/schedule"
)

// Config is the `drills` section.
type Config []Plan

// Plan is a drill that recurs.
type Plan struct {
	// Receiver is the one that gets a test message.
	Receiver string `yaml:"receiver"`
	// Schedule says when, such as "Mon 09:00"; see package schedule.
	Schedule string `yaml:"schedule"`
	TimeZone string `yaml:"timezone,omitempty"` // UTC if empty
}

const maxPlans = 1000

// Validate reports everything that is wrong. Whether the receivers exist is
// known to who has the Alertmanager configuration.
func (c Config) Validate() error {
	var errs []error
	if len(c) > maxPlans {
		errs = append(errs, fmt.Errorf("drills: got %d, at most %d are run", len(c), maxPlans))
	}
	first := make(map[string]int)
	for i, p := range c {
		switch j, taken := first[p.Receiver]; {
		case p.Receiver == "":
			errs = append(errs, fmt.Errorf("drills[%d].receiver: missing; name a receiver of the alertmanager section", i))
		case taken:
			errs = append(errs, fmt.Errorf("drills[%d].receiver: %q has drills[%d] already; combine their schedules", i, p.Receiver, j))
		}
		first[p.Receiver] = i
		if _, err := schedule.Parse(p.Schedule, p.TimeZone); err != nil {
			errs = append(errs, fmt.Errorf("drills[%d].schedule: %w", i, err))
		}
	}
	return errors.Join(errs...)
}
