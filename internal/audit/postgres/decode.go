package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

// Values arrive in PostgreSQL's binary form; src/backend/utils/adt of version 15
// is the reference. Nothing here allocates for a sound value: an audit reads
// millions.

var (
	errNull   = errors.New("is NULL")
	errType   = errors.New("has a type that cannot be read")
	errShort  = errors.New("is cut off")
	errNoInt  = errors.New("is not a whole number")
	errNaN    = errors.New("is not a number")
	errNoTime = errors.New("is not a time of this century")
)

// postgresEpoch is 2000-01-01 in microseconds.
const postgresEpoch = 946_684_800_000_000

func decodeDecimal(oid uint32, raw []byte) (audit.Decimal, error) {
	switch oid {
	case pgtype.NumericOID:
		return decodeNumeric(raw)
	case pgtype.Float8OID, pgtype.Float4OID:
		return decodeFloat(raw)
	case pgtype.Int8OID, pgtype.Int4OID, pgtype.Int2OID:
		n, err := decodeInt(oid, raw)
		if err != nil {
			return audit.Decimal{}, err
		}
		return audit.ParseDecimal(strconv.AppendInt(nil, n, 10))
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID:
		d, err := audit.ParseDecimal(raw)
		if err != nil {
			return d, fmt.Errorf("%q is %w", raw[:min(len(raw), 40)], err)
		}
		return d, nil
	}
	return audit.Decimal{}, errType
}

// decodeNumeric reads a count of groups, the weight of the first, a sign, the
// number of decimals shown, and the groups.
func decodeNumeric(raw []byte) (audit.Decimal, error) {
	if len(raw) < 8 {
		return audit.Decimal{}, errShort
	}
	groups := int(binary.BigEndian.Uint16(raw))
	weight := int(int16(binary.BigEndian.Uint16(raw[2:])))
	sign := binary.BigEndian.Uint16(raw[4:])
	const positive, negative = 0x0000, 0x4000
	if sign != positive && sign != negative {
		return audit.Decimal{}, errNaN
	}
	if len(raw) != 8+2*groups {
		return audit.Decimal{}, errShort
	}
	return audit.DecimalFromGroups(sign == negative, raw[8:], weight)
}

// decodeFloat gives back the decimal that was stored, and rounds the result of
// arithmetic to the decimals that the exchange uses.
func decodeFloat(raw []byte) (audit.Decimal, error) {
	var f float64
	bits := 64
	switch len(raw) {
	case 8:
		f = math.Float64frombits(binary.BigEndian.Uint64(raw))
	case 4:
		f, bits = float64(math.Float32frombits(binary.BigEndian.Uint32(raw))), 32
	default:
		return audit.Decimal{}, errShort
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return audit.Decimal{}, errNaN
	}
	d, err := audit.ParseDecimal(strconv.AppendFloat(nil, f, 'f', -1, bits))
	if err != nil {
		return audit.ParseDecimal(strconv.AppendFloat(nil, f, 'f', 8, bits))
	}
	return d, nil
}

func decodeInt(oid uint32, raw []byte) (int64, error) {
	switch {
	case oid == pgtype.Int8OID && len(raw) == 8:
		return int64(binary.BigEndian.Uint64(raw)), nil
	case oid == pgtype.Int4OID && len(raw) == 4:
		return int64(int32(binary.BigEndian.Uint32(raw))), nil
	case oid == pgtype.Int2OID && len(raw) == 2:
		return int64(int16(binary.BigEndian.Uint16(raw))), nil
	case oid == pgtype.TextOID || oid == pgtype.VarcharOID || oid == pgtype.BPCharOID:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q %w", raw[:min(len(raw), 40)], errNoInt)
		}
		return n, nil
	case oid == pgtype.NumericOID:
		d, err := decodeNumeric(raw)
		if err != nil {
			return 0, err
		}
		n, ok := d.Int()
		if !ok {
			return 0, errNoInt
		}
		return n, nil
	}
	return 0, errType
}

// decodeTime returns microseconds since 1970. unit is empty for a type that has
// none.
func decodeTime(oid uint32, raw []byte) (us int64, unit audit.Unit, err error) {
	switch {
	case (oid == pgtype.TimestamptzOID || oid == pgtype.TimestampOID) && len(raw) == 8:
		// Without a zone it is taken as UTC, which is the exchange's.
		n := int64(binary.BigEndian.Uint64(raw))
		if n == math.MaxInt64 || n == math.MinInt64 {
			return 0, "", errNoTime // infinity
		}
		return n + postgresEpoch, "", nil
	case oid == pgtype.DateOID && len(raw) == 4:
		days := int64(int32(binary.BigEndian.Uint32(raw)))
		return days*86_400_000_000 + postgresEpoch, "", nil
	}
	n, err := decodeInt(oid, raw)
	if err != nil {
		return 0, "", err
	}
	return audit.Micros(n)
}

// isClock tells types that are times from numbers that stand for them.
func isClock(oid uint32) bool {
	return oid == pgtype.TimestamptzOID || oid == pgtype.TimestampOID || oid == pgtype.DateOID
}
