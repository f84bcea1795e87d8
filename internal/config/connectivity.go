package config

import (
	"errors"

	"github.com/hedgewatch/hedgewatch/internal/binance"
	"github.com/hedgewatch/hedgewatch/internal/collector/connectivity"
	"github.com/hedgewatch/hedgewatch/internal/governor"
)

// binanceSection is the `binance` section, of which two packages have a share.
type binanceSection struct {
	governor.Exchange `yaml:",inline"`
	Connectivity      *connectivitySection `yaml:"connectivity,omitempty"`
}

// connectivitySection has the defaults where the file says nothing.
type connectivitySection struct{ connectivity.Config }

// UnmarshalYAML implements yaml.Unmarshaler's older form, which decodes strictly if
// the file is.
func (s *connectivitySection) UnmarshalYAML(unmarshal func(any) error) error {
	s.Config = connectivity.DefaultConfig()
	return unmarshal(&s.Config)
}

// MarshalYAML implements yaml.Marshaler.
func (s *connectivitySection) MarshalYAML() (any, error) { return s.Config, nil }

// binance says where the exchange is, and what is measured of it.
func (l *loader) binance(n *node) {
	if n == nil {
		return
	}
	s := decode(l, n, binanceSection{}, func(s binanceSection) error {
		l.relative(&s.WeightsFile)
		errs := s.Exchange.Validate()
		if s.Connectivity != nil {
			errs = errors.Join(errs, s.Connectivity.Validate())
		}
		return errs
	})
	l.config.Governor.Exchange = s.Exchange
	l.relative(&l.config.Governor.Exchange.WeightsFile)
	if s.Connectivity == nil {
		return
	}
	l.config.Connectivity = s.Connectivity.Config
	l.config.Connectivity.URLs = make(map[binance.Market]string)
	for m, e := range s.Markets {
		l.config.Connectivity.URLs[m] = e.URL
	}
}

func showBinance(c *Config) any {
	s := binanceSection{Exchange: c.Governor.Exchange}
	if c.Connectivity.Enabled {
		s.Connectivity = &connectivitySection{c.Connectivity}
	}
	if len(s.Markets)+len(s.Accounts) == 0 && s.WeightsFile == "" && s.Connectivity == nil {
		return nil
	}
	return s
}
