package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// Whatever a server sends, decoding returns a value or an error.
func FuzzDecode(f *testing.F) {
	f.Add(uint8(0), []byte{0, 2, 0, 0, 0, 0, 0, 2, 0x1c, 0xb1, 0x09, 0xc4})
	f.Add(uint8(1), []byte{0x3f, 0xf0, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(2), []byte("1e40"))
	oids := []uint32{pgtype.NumericOID, pgtype.Float8OID, pgtype.TextOID, pgtype.Int8OID, pgtype.TimestamptzOID, pgtype.DateOID}
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		oid := oids[int(kind)%len(oids)]
		if d, err := decodeDecimal(oid, raw); err == nil && oid == pgtype.NumericOID && len(raw) < 8 {
			t.Errorf("%x is %s", raw, d)
		}
		_, _, _ = decodeTime(oid, raw)
		_, _ = strayTime(oid, raw)
	})
}
