package audit

import (
	"errors"
	"math/big"
	"strings"
	"testing"
)

func TestParseDecimal(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		err        error
	}{
		{"0", "0", nil},
		{"0.00000000", "0", nil},
		{"28041.12000000", "28041.12", nil},
		{"27250.12345678", "27250.12345678", nil},
		{"1234567890.12345678", "1234567890.12345678", nil},
		{"99999999.99999999", "99999999.99999999", nil},
		{"0.1234567/", "", errNumber},
		{"0.1234567:", "", errNumber},
		{"12345678 ", "", errNumber},
		{"-0.5", "-0.5", nil},
		{"+7", "7", nil},
		{".5", "0.5", nil},
		{"5.", "5", nil},
		{"1E-7", "0.0000001", nil},
		{"9.5e-05", "0.000095", nil},
		{"12345678901234567890.123456789012", "12345678901234567890.123456789012", nil},
		{"0.000000000001", "0.000000000001", nil},
		{"0.0000000000010000", "0.000000000001", nil},
		{"0.0000000000001", "", errDigits},
		{"1e40", "", errDigits},
		{"1e999999999", "", errDigits},
		{"", "", errNumber},
		{".", "", errNumber},
		{"-", "", errNumber},
		{"1.2.3", "", errNumber},
		{"1,5", "", errNumber},
		{"NaN", "", errNumber},
		{"0x10", "", errNumber},
		{"1/3", "", errNumber},
	} {
		got, err := ParseDecimal([]byte(tt.text))
		if !errors.Is(err, tt.err) {
			t.Errorf("ParseDecimal(%q) error: got %v, want %v", tt.text, err, tt.err)
			continue
		}
		if err == nil && got.String() != tt.want {
			t.Errorf("ParseDecimal(%q) = %s, want %s", tt.text, got, tt.want)
		}
	}
}

// The decimal agrees with exact arithmetic of arbitrary size.
func FuzzDecimal(f *testing.F) {
	f.Add("28041.12000000", "-0.00000001")
	f.Add("18446744073709551615", "18446744073709551616")
	f.Add("1E-7", "9223372036854775807.999999999999")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := ParseDecimal([]byte(a))
		y, errY := ParseDecimal([]byte(b))
		if errX != nil || errY != nil {
			return
		}
		if len(strings.TrimLeft(a, "+-0"))+len(strings.TrimLeft(b, "+-0")) > 50 {
			return // Sums of such numbers need not fit.
		}
		rx, _ := new(big.Rat).SetString(fixed(a))
		ry, _ := new(big.Rat).SetString(fixed(b))
		if rx == nil || ry == nil {
			t.Fatalf("%q or %q is no number for math/big", a, b)
		}
		exact(t, x.Add(y), new(big.Rat).Add(rx, ry))
		exact(t, x.Sub(y), new(big.Rat).Sub(rx, ry))
		if got, want := x.Less(y), rx.Cmp(ry) < 0; got != want {
			t.Errorf("%s < %s: got %v, want %v", x, y, got, want)
		}
	})
}

// fixed writes what math/big does not read.
func fixed(s string) string {
	return strings.TrimSuffix(s, ".")
}

func exact(t *testing.T, got Decimal, want *big.Rat) {
	t.Helper()
	r, ok := new(big.Rat).SetString(got.String())
	if !ok || r.Cmp(want) != 0 {
		t.Errorf("got %s, want %s", got, want.FloatString(decimals))
	}
}
