package mail

// Settings are ours for a receiver's `email_configs`: the `email` key of
// `delivery.receivers`.
type Settings struct {
	// Graph puts a picture of the alert's expression into the mail.
	Graph bool `yaml:"graph"`
}

// DefaultSettings apply to receivers that `delivery` does not name.
func DefaultSettings() Settings { return Settings{Graph: true} }

// UnmarshalYAML puts what the file says over the defaults.
func (s *Settings) UnmarshalYAML(unmarshal func(any) error) error {
	type plain Settings
	*s = DefaultSettings()
	return unmarshal((*plain)(s))
}
