package audit

import "fmt"

// Unit is the unit of a stored time. Binance's archives changed theirs from
// milliseconds to microseconds on 2025-01-01, and platforms have seconds too, so
// it is told from the number itself.
type Unit string

// The units.
const (
	Seconds      Unit = "s"
	Milliseconds Unit = "ms"
	Microseconds Unit = "µs"
	Nanoseconds  Unit = "ns"
)

// Micros returns a stored time in microseconds, and the unit it was in. No two
// units overlap between September 2001 and the year 5138; the exchange is from
// 2017.
func Micros(t int64) (us int64, unit Unit, err error) {
	switch {
	case t >= 1e9 && t < 1e11:
		return t * 1e6, Seconds, nil
	case t >= 1e12 && t < 1e14:
		return t * 1e3, Milliseconds, nil
	case t >= 1e15 && t < 1e17:
		return t, Microseconds, nil
	case t >= 1e18:
		return t / 1e3, Nanoseconds, nil
	}
	return 0, "", fmt.Errorf("%d is not a time of this century in s, ms, µs or ns", t)
}
