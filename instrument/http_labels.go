package instrument

import "net/http"

// outcome is how a request ended: the class of its status, or why it has none.
// As the label code, "5xx" matches the usual code=~"5..".
type outcome uint8

const (
	informational outcome = iota
	success
	redirection
	clientError
	serverError
	// canceled: the one who asked went away before there was an answer.
	canceled
	// failed: no answer came.
	failed
	outcomes
)

// String is the value of the label code.
func (o outcome) String() string {
	return [outcomes]string{"1xx", "2xx", "3xx", "4xx", "5xx", "canceled", "error"}[o]
}

// outcomeOf puts a status that no one defined among the server's errors.
func outcomeOf(status int) outcome {
	if status < 100 || status > 599 {
		return serverError
	}
	return outcome(status/100 - 1)
}

// knownMethod bounds the label method: whoever calls a server may send any word.
func knownMethod(method string) string {
	switch method {
	case "":
		return http.MethodGet // What an empty method means to a client.
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "other"
}
