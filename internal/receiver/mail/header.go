package mail

import (
	"fmt"
	"maps"
	"mime"
	netmail "net/mail"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	amconfig "github.com/prometheus/alertmanager/config"
)

var (
	messageID  = regexp.MustCompile(`^<[A-Za-z0-9._+=-]{1,200}@[A-Za-z0-9.\[\]:-]{1,200}>$`)
	headerName = regexp.MustCompile(`^[!-9;-~]+$`) // RFC 5322, 3.6.8.
)

// headerTemplates returns the headers that the configuration asks for, with
// those that Alertmanager adds.
func headerTemplates(c *amconfig.EmailConfig) (map[string]string, []error) {
	headers := map[string]string{"Subject": amconfig.DefaultEmailSubject, "To": c.To, "From": c.From}
	var errs []error
	for name, text := range c.Headers {
		if !headerName.MatchString(name) {
			errs = append(errs, fmt.Errorf("headers: %q is no name of a mail's header", name))
		}
		headers[textproto.CanonicalMIMEHeaderKey(name)] = text
	}
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding", "Mime-Version"} {
		delete(headers, name) // They must say what the mail is.
	}
	return headers, errs
}

func values(m map[string]string) []string { return slices.Collect(maps.Values(m)) }

// header makes a header's line of any text: one line, in ASCII, folded.
func header(name, value string) string {
	value = strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	switch name {
	case "From", "To", "Cc", "Bcc", "Reply-To", "Sender":
		if list, err := netmail.ParseAddressList(value); err == nil {
			parts := make([]string, len(list))
			for i, a := range list {
				parts[i] = a.String()
			}
			return fold(name + ": " + strings.Join(parts, ", "))
		}
	}
	if slices.ContainsFunc(strings.Fields(value), func(word string) bool { return len(word) > maxWord }) {
		// Only encoding can break a word.
		value = strings.Join(encodeLong(value), " ")
	} else {
		value = mime.QEncoding.Encode("utf-8", value)
	}
	return fold(name + ": " + value)
}

const (
	lineLength = 76  // What RFC 5322 asks for; 998 is the limit.
	maxWord    = 900 // The longest that stays in one line for certain.
	maxHeader  = 4000
)

// encodeLong makes encoded words of a text with a word that is too long. The
// encoder leaves plain ASCII alone, so it is given a character that is not.
func encodeLong(value string) []string {
	if len(value) > maxHeader {
		value = strings.ToValidUTF8(value[:maxHeader], "")
	}
	return strings.Fields(mime.QEncoding.Encode("utf-8", value+"…"))
}

// fold breaks a line at spaces where it gets too long.
func fold(line string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Split(line, " ") {
		switch {
		case i == 0:
		case width+1+len(word) > lineLength && width > 0 && word != "":
			b.WriteString("\r\n ")
			width = 1
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String() + "\r\n"
}
