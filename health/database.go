package health

import "time"

// DB is what a running database server says of itself. What it does not say is
// 0 or empty.
type DB struct {
	Time           time.Time     `json:"time"` // when it was asked
	Version        string        `json:"version"`
	UUID           string        `json:"uuid,omitempty"` // MySQL's server_uuid
	Uptime         time.Duration `json:"uptime_ns"`
	Connections    int64         `json:"connections"`
	MaxConnections int64         `json:"max_connections"`
	History        int64         `json:"history_list"`             // transactions whose undo log waits for the purge
	CheckpointAge  int64         `json:"checkpoint_age"`           // bytes of redo that a crash now would have to be read again
	CheckpointMax  int64         `json:"checkpoint_max,omitempty"` // at which writers wait
	DirtyPages     int64         `json:"dirty_pages"`
	ReadOnly       bool          `json:"read_only"`
	SuperReadOnly  bool          `json:"super_read_only"`
	Events         bool          `json:"events"` // the event scheduler runs
	GTID           GTID          `json:"gtid"`
	Channels       []Channel     `json:"replication,omitempty"` // from whom it replicates
	IO             []Latency     `json:"io,omitempty"`          // empty: not measured; MariaDB does with performance_schema only
}

// GTID is which transactions a server has.
type GTID struct {
	Executed string `json:"executed,omitempty"` // MySQL's gtid_executed, MariaDB's gtid_current_pos
	Purged   string `json:"purged,omitempty"`   // MySQL
	Binlog   string `json:"binlog,omitempty"`   // MariaDB's gtid_binlog_pos
	Replica  string `json:"replica,omitempty"`  // MariaDB's gtid_slave_pos
}

// Channel is one source that a server replicates from.
type Channel struct {
	Name     string         `json:"name,omitempty"`
	Source   string         `json:"source"`   // host:port
	Receiver string         `json:"receiver"` // "Yes", "No", "Connecting", …
	Applier  string         `json:"applier"`
	Lag      *time.Duration `json:"lag_ns,omitempty"` // nil: not known
	Error    string         `json:"error,omitempty"`
	GTID     string         `json:"gtid,omitempty"` // what was received
}

// Latency is what InnoDB measured at one kind of its files since it was asked
// before; each is the mean of one call, 0 if there was none.
type Latency struct {
	File  string        `json:"file"` // "data" or "log"
	Read  time.Duration `json:"read_ns"`
	Write time.Duration `json:"write_ns"`
	Sync  time.Duration `json:"sync_ns"` // flushes, and other calls that move no bytes
	Calls int64         `json:"calls"`
}
