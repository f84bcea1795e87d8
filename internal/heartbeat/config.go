package heartbeat

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
)

// Config is the `heartbeats` section.
type Config struct {
	In  []In  `yaml:"in,omitempty"`
	Out []Out `yaml:"out,omitempty"`
}

// In is a job that tells us regularly that it works.
type In struct {
	Name string `yaml:"name"`
	// Interval is how often it is heard; Grace is how much later it may be.
	Interval model.Duration `yaml:"interval"`
	Grace    model.Duration `yaml:"grace"`
	// Token is what it proves itself with.
	Token commoncfg.Secret `yaml:"token"`
	// Severity and Labels become labels of its alerts.
	Severity string            `yaml:"severity"`
	Labels   map[string]string `yaml:"labels,omitempty"`
}

// Out is a dead man's switch that we tell regularly that alerts arrive.
type Out struct {
	// Name is what metrics call it, the URL's host where it is empty.
	Name string           `yaml:"name,omitempty"`
	URL  commoncfg.Secret `yaml:"url"`
	// FailURL, if any, is called while alerts do not arrive.
	FailURL  commoncfg.Secret `yaml:"fail_url,omitempty"`
	Method   string           `yaml:"method"`
	Interval model.Duration   `yaml:"interval"`
	Timeout  model.Duration   `yaml:"timeout"`
}

const (
	maxHeartbeats = 1000
	minTokenBytes = 16
	minInterval   = model.Duration(time.Second)
)

// nameForm keeps names usable as a path segment as they are.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// UnmarshalYAML implements yaml.Unmarshaler, to fill in the defaults.
func (in *In) UnmarshalYAML(unmarshal func(any) error) error {
	type plain In
	*in = In{Grace: model.Duration(time.Minute), Severity: "critical"}
	return unmarshal((*plain)(in))
}

// UnmarshalYAML implements yaml.Unmarshaler, to fill in the defaults.
func (o *Out) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Out
	*o = Out{Method: http.MethodGet, Interval: model.Duration(time.Minute), Timeout: model.Duration(10 * time.Second)}
	return unmarshal((*plain)(o))
}

// Validate reports everything that is wrong, with keys but without secrets.
func (c Config) Validate() error {
	var errs []error
	if len(c.In) > maxHeartbeats || len(c.Out) > maxHeartbeats {
		errs = append(errs, fmt.Errorf("heartbeats: at most %d of a kind", maxHeartbeats))
	}
	first := make(map[string]int)
	for i, in := range c.In {
		key := fmt.Sprintf("heartbeats.in[%d]", i)
		if j, taken := first[in.Name]; taken {
			errs = append(errs, fmt.Errorf("%s.name: %q is also the name of heartbeats.in[%d]; give each its own", key, in.Name, j))
		} else {
			first[in.Name] = i
		}
		errs = append(errs, in.validate(key)...)
	}
	first = make(map[string]int)
	for i, out := range c.Out {
		key := fmt.Sprintf("heartbeats.out[%d]", i)
		errs = append(errs, out.validate(key)...)
		name := out.name()
		if j, taken := first[name]; taken {
			errs = append(errs, fmt.Errorf("%s.name: %q is also the name of heartbeats.out[%d]; give each its own", key, name, j))
		} else {
			first[name] = i
		}
	}
	return errors.Join(errs...)
}

func (in In) validate(key string) (errs []error) {
	if !nameForm.MatchString(in.Name) {
		errs = append(errs, fmt.Errorf("%s.name: %q does not fit into a path; use letters, digits, '.', '_' and '-'", key, in.Name))
	}
	if in.Interval < minInterval {
		errs = append(errs, fmt.Errorf("%s.interval: %v is too short; say how often the heartbeat comes, at least %v", key, in.Interval, minInterval))
	}
	if in.Grace < 0 {
		errs = append(errs, fmt.Errorf("%s.grace: %v is negative", key, in.Grace))
	}
	if len(in.Token) < minTokenBytes {
		errs = append(errs, fmt.Errorf("%s.token: at least %d characters, as of `openssl rand -hex 16`", key, minTokenBytes))
	}
	for name := range in.Labels {
		switch {
		case !model.UTF8Validation.IsValidLabelName(name):
			errs = append(errs, fmt.Errorf("%s.labels: %q is no name of a label", key, name))
		case name == model.AlertNameLabel || name == nameLabel || name == severityLabel:
			errs = append(errs, fmt.Errorf("%s.labels: %q is set by hedgewatch; use another name", key, name))
		}
	}
	return errs
}

func (o Out) validate(key string) (errs []error) {
	if !isWebURL(string(o.URL)) {
		errs = append(errs, fmt.Errorf("%s.url: not a URL that starts with http:// or https://", key))
	}
	if o.FailURL != "" && !isWebURL(string(o.FailURL)) {
		errs = append(errs, fmt.Errorf("%s.fail_url: not a URL that starts with http:// or https://", key))
	}
	switch o.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut:
	default:
		errs = append(errs, fmt.Errorf("%s.method: got %q, want GET, HEAD, POST or PUT", key, o.Method))
	}
	if o.Interval < minInterval {
		errs = append(errs, fmt.Errorf("%s.interval: %v is too short; use at least %v", key, o.Interval, minInterval))
	}
	if o.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("%s.timeout: %v is not a positive duration", key, o.Timeout))
	}
	return errs
}

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func (o Out) name() string {
	u, err := url.Parse(string(o.URL))
	if err != nil {
		return o.Name
	}
	return cmp.Or(o.Name, u.Hostname())
}
