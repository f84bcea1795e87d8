package services

import "regexp"

// masks are the forms in which programs write secrets into their logs. Of what
// matches, the groups stay.
var masks = []*regexp.Regexp{
	// password=…, "api_key": "…", --token …, X-Api-Secret: …
	regexp.MustCompile(`(?i)([\w.-]*(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key|credentials?)[\w.-]*["']?\s*(?:[:=]|\s=>)\s*["']?)[^\s"',;&}]+`),
	regexp.MustCompile(`(?i)(--[\w-]*(?:password|secret|token|key)[ =])[^\s"']+`),
	regexp.MustCompile(`(?i)((?:authorization["']?\s*[:=]\s*["']?)?(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}`),
	regexp.MustCompile(`([a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(@)`),
	regexp.MustCompile(`()-----BEGIN [A-Z ]*PRIVATE KEY-----.*`),
	regexp.MustCompile(`()\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?`),
	regexp.MustCompile(`()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b`),
	// What is as long as a key of the exchange and has no structure.
	regexp.MustCompile(`()\b[A-Za-z0-9]{40,}\b`),
}

// ansi is the colouring of terminals.
var ansi = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// Mask replaces what looks like a secret. It rather hides too much.
func Mask(text string) string {
	for _, m := range masks {
		text = m.ReplaceAllString(text, "${1}<secret>${2}")
	}
	return text
}
