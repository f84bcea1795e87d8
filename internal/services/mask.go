package services

import "regexp"

const (
	// secretName is a name whose value nobody should see, with what stands
	// between the two: password=…, "api_key": "…", \"token\":\"…, :secret => …
	secretName = `(?i)((?:passw(?:or)?d|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)[\w.-]*` +
		`\\*["']?\s*(?:=>|[:=])\s*\\*`
	// schemeUser is a URL up to the password.
	schemeUser = `([a-z][a-z0-9+.-]*://[^\s:/@]*:)`
)

// masks are the forms in which programs write secrets into their logs. Of what
// matches, the groups stay.
var masks = []*regexp.Regexp{
	regexp.MustCompile(`()-----BEGIN [A-Z ]*PRIVATE KEY-----.*`),
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}`),
	regexp.MustCompile(`(?i)(authorization\\*["']?\s*[:=]\s*\\*["']?(?:\w+ )?)[^\s"',;&}\\]{8,}`),
	regexp.MustCompile(`(?i)((?:set-)?cookie["']?\s*[:=]\s*["']?)[^"']+`),
	regexp.MustCompile(secretName + `")[^"\\]+`),
	regexp.MustCompile(secretName + `')[^'\\]+`),
	regexp.MustCompile(secretName + `)[^\s"',;&}\\]+`),
	regexp.MustCompile(`(?i)(--[\w-]*(?:password|secret|token|key)[ =]["']?)[^\s"']+`),
	// A password may have an @, or a slash that nobody has escaped.
	regexp.MustCompile(schemeUser + `[^\s/]+(@)`),
	regexp.MustCompile(schemeUser + `[^\s@]+(@)`),
	// Whoever has the address of a webhook may post to it.
	regexp.MustCompile(`(/api/webhooks/\d+/)[\w-]+`),
	regexp.MustCompile(`(hooks\.slack\.com/services/)[\w/-]+`),
	regexp.MustCompile(`()\b\d{6,12}:[A-Za-z0-9_-]{30,}`),
	regexp.MustCompile(`()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?`),
	regexp.MustCompile(`()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`),
	regexp.MustCompile(`()\b(?:gh[a-z]_|glpat-|xox[a-z]-)[A-Za-z0-9_-]{16,}`),
	// What is as long as a key of the exchange and has no structure, and a line of
	// a key in base64.
	regexp.MustCompile(`()\b[A-Za-z0-9]{40,}\b`),
	regexp.MustCompile(`()^[A-Za-z0-9+/]{40,}={0,2}$`),
}

// ansi is the colouring of terminals.
var ansi = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// Mask replaces what looks like a secret in one line. It rather hides too much.
func Mask(text string) string {
	for _, m := range masks {
		text = m.ReplaceAllString(text, "${1}<secret>${2}")
	}
	return text
}
