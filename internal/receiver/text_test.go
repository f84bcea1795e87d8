package receiver

import (
	"math"
	"testing"
)

func TestFormatValue(t *testing.T) {
	for _, tt := range []struct {
		value float64
		want  string
	}{
		{0, "0"},
		{math.Copysign(0, -1), "-0"},
		{2412, "2412"},
		{0.1 + 0.2, "0.3"},
		{-61.23456789, "-61.2346"},
		{99999.96, "100000"},
		{100000.4, "100000"},
		{1234567.89, "1234568"},
		{86400000000000, "86400000000000"},
		{0.000012345678, "0.0000123457"},
		{0.00000012345678, "1.23457e-07"},
		{1e15, "1e+15"},
		{math.Inf(1), "+Inf"},
		{math.NaN(), "NaN"},
	} {
		if got := FormatValue(tt.value); got != tt.want {
			t.Errorf("%v: got %q, want %q", tt.value, got, tt.want)
		}
	}
}
