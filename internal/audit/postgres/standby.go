package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hedgewatch/hedgewatch/internal/audit"
)

var _ audit.Replica = (*Table)(nil)

// behindSQL says how long ago the state is from that a standby shows; NULL if it
// has not replayed anything. The last transaction is as old as the last change on
// the primary; where all that was received is replayed, the state is as new as the
// last message of the primary. Who may not see when that was (it takes the role
// pg_read_all_stats) learns only that there is a connection: one that hangs ends
// after wal_receiver_timeout, a minute. See "Hot Standby Functions" and
// "pg_stat_wal_receiver" in the manual of version 15.
const behindSQL = `SELECT pg_is_in_recovery(), extract(epoch FROM CASE WHEN pg_is_in_recovery() THEN least(
	clock_timestamp() - pg_last_xact_replay_timestamp(),
	(SELECT clock_timestamp() - coalesce(last_msg_receipt_time, clock_timestamp()) FROM pg_stat_wal_receiver
		WHERE pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn())) END)::float8`

var errNothingReplayed = errors.New("the database is a standby that has replayed nothing and hears of no primary, nobody knows how old its rows are; read the primary")

// Behind implements [audit.Replica].
func (t *Table) Behind(ctx context.Context) (d time.Duration, err error) {
	err = t.db.with(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var standby bool
		var seconds *float64
		if err := conn.QueryRow(ctx, behindSQL).Scan(&standby, &seconds); err != nil || !standby {
			return err
		}
		if seconds == nil {
			return errNothingReplayed
		}
		d = max(0, time.Duration(*seconds*float64(time.Second)))
		return nil
	})
	return d, err
}
