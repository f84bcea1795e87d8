package discord

import (
	"regexp"
	"slices"
	"strings"
)

// written finds mentions in the text of a user's template. Those that only
// appear when it is executed come from labels, and labels call nobody.
var written = regexp.MustCompile(`<@[&!]?[0-9]{1,20}>|@here|@everyone`)

// allow returns the permission for mentions to call whom they name.
func allow(mentions []string) allowedMentions {
	var a allowedMentions
	for _, who := range mentions {
		m := mention.FindStringSubmatch(who)
		switch {
		case m == nil: // Not possible after Validate.
		case m[3] != "":
			a.Parse = []string{"everyone"} // It stands for @here as well.
		case m[1] == "&":
			a.Roles = appendNew(a.Roles, m[2])
		default:
			a.Users = appendNew(a.Users, m[2])
		}
	}
	return a
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// disarm keeps text that is not ours to judge from calling @everyone where a
// configured @here opens the way for both.
func disarm(text string) string {
	const zeroWidthSpace = "\u200b"
	return strings.NewReplacer("@everyone", "@"+zeroWidthSpace+"everyone", "@here", "@"+zeroWidthSpace+"here").Replace(text)
}
