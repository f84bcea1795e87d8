package exchangesim

import (
	"encoding/binary"
	"strconv"
	"strings"
)

func binaryAppend(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }

// pow10 is 10^n.
func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

// format writes v, which has scale decimals, with digits of them.
func format(v int64, scale, digits int) string {
	var buf [40]byte
	return string(appendFixed(buf[:0], v, scale, digits))
}

func appendFixed(b []byte, v int64, scale, digits int) []byte {
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	one := pow10(scale)
	b = strconv.AppendInt(b, v/one, 10)
	if digits == 0 {
		return b
	}
	b = append(b, '.')
	rest := v % one
	for range digits {
		one /= 10
		if one == 0 {
			b = append(b, '0')
			continue
		}
		b = append(b, byte('0'+rest/one))
		rest %= one
	}
	return b
}

// parse reads a decimal into an integer with scale decimals. More decimals than
// that are an error, as they are for the exchange, unless they are zeros.
func parse(text string, scale int) (v int64, ok bool) {
	whole, part, _ := strings.Cut(text, ".")
	part = strings.TrimRight(part, "0")
	if len(part) > scale || len(whole)+scale > 17 {
		return 0, false
	}
	part += strings.Repeat("0", scale-len(part))
	u, err := strconv.ParseUint(whole+part, 10, 63)
	return int64(u), err == nil
}

// rescale changes the decimals of v; it truncates.
func rescale(v int64, from, to int) int64 {
	if to >= from {
		return v * pow10(to-from)
	}
	return v / pow10(from-to)
}
