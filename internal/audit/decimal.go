package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Decimal is an exact number with up to twelve decimals and about 26 digits
// before them: what exchanges quote, and sums of it. The zero value is 0.
//
// It is written here because an audit parses some ten million numbers a second,
// which a decimal of arbitrary size does not do.
type Decimal struct {
	// The value times 10^12, as a 128-bit integer in two's complement.
	hi int64
	lo uint64
}

const decimals = 12

var (
	errNumber = errors.New("not a number")
	errDigits = fmt.Errorf("more than %d decimals, or too large", decimals)
)

// ParseDecimal reads a number as exchanges and databases write it.
func ParseDecimal(text []byte) (Decimal, error) {
	if d, n := ScanDecimal(text); n > 0 && n == len(text) {
		return d, nil
	}
	var value uint64
	digits, fraction, point := 0, 0, false
	negative := false
	s := text
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9':
			if digits == 19 || fraction == decimals {
				return parseLong(text)
			}
			value = value*10 + uint64(c-'0')
			if value > 0 {
				digits++
			}
			if point {
				fraction++
			}
		case c == '.' && !point:
			point = true
		case (c == 'e' || c == 'E') && i > 0:
			return parseLong(text)
		default:
			return Decimal{}, errNumber
		}
	}
	if len(s) == 0 || len(s) == 1 && point {
		return Decimal{}, errNumber
	}
	hi, lo := bits.Mul64(value, scale[decimals-fraction])
	d := Decimal{int64(hi), lo}
	if negative {
		d = d.neg()
	}
	return d, nil
}

// ScanDecimal reads the number that a text begins with, up to a comma or the end, and
// returns how long it is; 0 for what is rare or none, which [ParseDecimal] knows.
func ScanDecimal(text []byte) (d Decimal, n int) {
	value, n := scanDigits(text, 0, 0)
	if n == 0 || n > 18 {
		return Decimal{}, 0
	}
	fraction := 0
	if n < len(text) && text[n] == '.' {
		point := n
		value, n = scanDigits(text[:min(len(text), 20)], value, n+1)
		fraction = n - point - 1
	}
	if fraction > decimals || n > 19 || n < len(text) && text[n] != ',' {
		return Decimal{}, 0
	}
	hi, lo := bits.Mul64(value, scale[decimals-fraction])
	return Decimal{int64(hi), lo}, n
}

// scanDigits adds the digits from a place on to a value, and returns where they end.
func scanDigits(text []byte, value uint64, at int) (uint64, int) {
	for at+8 <= len(text) {
		v := binary.LittleEndian.Uint64(text[at:])
		const high, digit = 0xf0f0f0f0f0f0f0f0, 0x3030303030303030
		if v&high != digit || (v+0x0606060606060606)&high != digit {
			break
		}
		// Neighbours are added up, the left one ten times: to four numbers of two
		// digits, two of four, one of eight.
		v = (v & 0x0f0f0f0f0f0f0f0f) * (10<<8 + 1) >> 8
		v = (v & 0x00ff00ff00ff00ff) * (100<<16 + 1) >> 16
		v = (v & 0x0000ffff0000ffff) * (10_000<<32 + 1) >> 32
		value = value*1e8 + v
		at += 8
	}
	for ; at < len(text) && text[at]-'0' <= 9; at++ {
		value = value*10 + uint64(text[at]-'0')
	}
	return value, at
}

// scale holds 10^0 to 10^12.
var scale = [decimals + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12}

// DecimalFromGroups makes a number of groups of four digits, as PostgreSQL sends
// them: big-endian, the first one worth 10000^weight. For example, 7345.25 is
// 7345 and 2500 with weight 0.
func DecimalFromGroups(negative bool, groups []byte, weight int) (Decimal, error) {
	const last = -decimals / 4 // The weight of the last group that a Decimal has room for.
	var hi, lo uint64
	for at := weight; at >= last; at-- {
		var group uint64
		if len(groups) >= 2 {
			group, groups = uint64(groups[0])<<8|uint64(groups[1]), groups[2:]
		}
		if group > 9999 || hi > 1<<48 {
			return Decimal{}, errDigits
		}
		carry, low := bits.Mul64(lo, 10_000)
		low, over := bits.Add64(low, group, 0)
		hi, lo = hi*10_000+carry+over, low
	}
	for _, b := range groups {
		if b != 0 {
			return Decimal{}, errDigits
		}
	}
	if hi>>62 != 0 {
		return Decimal{}, errDigits
	}
	d := Decimal{int64(hi), lo}
	if negative {
		d = d.neg()
	}
	return d, nil
}

// parseLong reads what is rare: exponents, many digits, many decimals.
func parseLong(text []byte) (Decimal, error) {
	s := string(text)
	if len(s) > 64 || strings.ContainsAny(s, "xXpP_/nNiI") {
		return Decimal{}, errNumber
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		// A short text may stand for a number of a billion digits.
		if e, err := strconv.Atoi(s[i+1:]); err != nil || e > 40 || e < -40 {
			return Decimal{}, errDigits
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return Decimal{}, errNumber
	}
	r.Mul(r, new(big.Rat).SetInt64(1e12))
	if !r.IsInt() || r.Num().BitLen() > 126 {
		return Decimal{}, errDigits
	}
	abs := new(big.Int).Abs(r.Num())
	d := Decimal{int64(new(big.Int).Rsh(abs, 64).Uint64()), new(big.Int).And(abs, new(big.Int).SetUint64(^uint64(0))).Uint64()}
	if r.Sign() < 0 {
		d = d.neg()
	}
	return d, nil
}

func (d Decimal) neg() Decimal {
	lo, carry := bits.Add64(^d.lo, 1, 0)
	return Decimal{^d.hi + int64(carry), lo}
}

// Add returns d + e.
func (d Decimal) Add(e Decimal) Decimal {
	lo, carry := bits.Add64(d.lo, e.lo, 0)
	return Decimal{d.hi + e.hi + int64(carry), lo}
}

// Sub returns d - e.
func (d Decimal) Sub(e Decimal) Decimal { return d.Add(e.neg()) }

// Less reports whether d < e.
func (d Decimal) Less(e Decimal) bool {
	return d.hi < e.hi || d.hi == e.hi && d.lo < e.lo
}

// Int returns d if it is a whole number of 64 bits.
func (d Decimal) Int() (int64, bool) {
	abs := d
	if d.hi < 0 {
		abs = d.neg()
	}
	if uint64(abs.hi) >= 1e12 {
		return 0, false
	}
	n, rest := bits.Div64(uint64(abs.hi), abs.lo, 1e12)
	if rest != 0 || n > 1<<63-1 {
		return 0, false
	}
	if d.hi < 0 {
		return -int64(n), true
	}
	return int64(n), true
}

// IsZero reports whether d is 0.
func (d Decimal) IsZero() bool { return d == Decimal{} }

// String writes d without needless zeros.
func (d Decimal) String() string {
	n := new(big.Int).Lsh(big.NewInt(d.hi), 64)
	n.Add(n, new(big.Int).SetUint64(d.lo))
	s := new(big.Rat).SetFrac(n, big.NewInt(1e12)).FloatString(decimals)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
