package mysql

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Status is how a server that answers is, in its own words. Sizes are bytes.
// What a server does not say is 0 or empty.
type Status struct {
	Version        string
	MariaDB        bool
	UUID           string // MySQL's server_uuid
	Uptime         time.Duration
	Connections    int64
	MaxConnections int64
	History        int64 // undo logs that wait for the purge, in transactions
	CheckpointAge  int64 // redo that a crash now would have to be read again
	CheckpointMax  int64 // at which the server makes its writers wait; 0: not known
	DirtyPages     int64
	ReadOnly       bool
	SuperReadOnly  bool
	Events         bool // the event scheduler runs
	GTID           GTID
	Channels       []Channel // from whom it replicates
	IO             []IO
}

// GTID is which transactions a server has.
type GTID struct {
	Executed string // MySQL's gtid_executed; MariaDB's gtid_current_pos
	Purged   string // MySQL
	Binlog   string // MariaDB's gtid_binlog_pos
	Replica  string // MariaDB's gtid_slave_pos
}

// Trouble is a server that is there but does not let its status be read.
type Trouble int

// The troubles.
const (
	Silent    Trouble = iota // it does not answer
	NoAccount                // it does not know the account, or does not let it in
	Full                     // it has no connection left
	Busy                     // an earlier probe has not ended in it yet
)

// TroubleOf says what an error of Read means.
func TroubleOf(err error) Trouble {
	switch said(err) {
	case accessDenied, accessDeniedNoPassword:
		return NoAccount
	case tooManyConnections:
		return Full
	case tooManyUserConnections:
		return Busy
	}
	return Silent
}

const (
	statusQuery = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Uptime', 'Threads_connected', 'Innodb_buffer_pool_pages_dirty', " +
		"'Innodb_history_list_length', 'Innodb_checkpoint_age', 'Innodb_checkpoint_max_age', " +
		"'Innodb_redo_log_checkpoint_lsn', 'Innodb_redo_log_current_lsn', 'Innodb_redo_log_capacity_resized')"
	variableQuery = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'server_uuid', 'max_connections', 'read_only', 'super_read_only', " +
		"'event_scheduler', 'gtid_executed', 'gtid_purged', 'gtid_current_pos', 'gtid_binlog_pos', 'gtid_slave_pos')"
	historyQuery = "SELECT COUNT AS value FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'"
)

// Read asks the server behind socket how it is. It changes nothing. The caller
// bounds it with ctx and has no more than one of them going on.
func Read(ctx context.Context, socket string) (Status, error) {
	s, err := open(ctx, socket, Account)
	if err != nil {
		return Status{}, err
	}
	defer s.close()
	variables, err := s.settings(ctx, variableQuery)
	if err != nil {
		return Status{}, err
	}
	counters, err := s.settings(ctx, statusQuery)
	if err != nil {
		return Status{}, err
	}
	st := statusOf(variables, counters)
	channels := "SHOW REPLICA STATUS"
	if st.MariaDB {
		channels = "SHOW ALL SLAVES STATUS"
	} else {
		history, err := s.rows(ctx, historyQuery)
		if err != nil {
			return Status{}, err
		}
		if len(history) > 0 {
			st.History = history[0].number("value")
		}
	}
	replicas, err := s.rows(ctx, channels)
	if err != nil {
		return Status{}, err
	}
	for _, r := range replicas {
		st.Channels = append(st.Channels, channelOf(r))
	}
	waits, err := s.rows(ctx, ioQuery)
	for _, r := range waits {
		st.IO = append(st.IO, ioOf(r))
	}
	return st, err
}

func statusOf(v, c row) Status {
	st := Status{
		Version: v["version"], MariaDB: isMariaDB(v["version"]), UUID: v["server_uuid"],
		Uptime:      time.Duration(c.number("uptime")) * time.Second,
		Connections: c.number("threads_connected"), MaxConnections: v.number("max_connections"),
		History:    c.number("innodb_history_list_length"),
		DirtyPages: c.number("innodb_buffer_pool_pages_dirty"),
		ReadOnly:   on(v["read_only"]), SuperReadOnly: on(v["super_read_only"]), Events: v["event_scheduler"] == "ON",
		GTID: GTID{Executed: set(v["gtid_executed"]), Purged: set(v["gtid_purged"])},
	}
	if st.MariaDB {
		st.GTID = GTID{Executed: v["gtid_current_pos"], Binlog: v["gtid_binlog_pos"], Replica: v["gtid_slave_pos"]}
		st.CheckpointAge, st.CheckpointMax = c.number("innodb_checkpoint_age"), c.number("innodb_checkpoint_max_age")
		return st
	}
	st.CheckpointAge = c.number("innodb_redo_log_current_lsn") - c.number("innodb_redo_log_checkpoint_lsn")
	st.CheckpointMax = c.number("innodb_redo_log_capacity_resized")
	return st
}

// set takes the line breaks out of a set of transactions.
func set(s string) string { return strings.ReplaceAll(s, "\n", "") }

// number is a column's number; 0 if there is none.
func (r row) number(column string) int64 {
	n, err := strconv.ParseInt(r[column], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
