package mysql

import (
	"strings"
	"time"
)

// Channel is one source that a server replicates from.
type Channel struct {
	Name     string // "" is the one without a name
	Source   string // host:port
	Receiver string // "Yes", "No", "Connecting", as the server says
	Applier  string // "Yes" or "No"
	Lag      *time.Duration
	Error    string // of the receiver, else of the applier
	GTID     string // received, MySQL; MariaDB's position
}

// channelOf reads a row of MySQL's SHOW REPLICA STATUS or of MariaDB's SHOW ALL
// SLAVES STATUS, which keeps the old names.
func channelOf(r row) Channel {
	first := func(names ...string) string {
		for _, n := range names {
			if v, ok := r[n]; ok {
				return v
			}
		}
		return ""
	}
	c := Channel{
		Name:     first("channel_name", "connection_name"),
		Source:   first("source_host", "master_host") + ":" + first("source_port", "master_port"),
		Receiver: first("replica_io_running", "slave_io_running"),
		Applier:  first("replica_sql_running", "slave_sql_running"),
		GTID:     set(first("retrieved_gtid_set", "gtid_io_pos")),
	}
	for _, lag := range []string{"seconds_behind_source", "seconds_behind_master"} {
		if _, known := r[lag]; known {
			d := time.Duration(r.number(lag)) * time.Second
			c.Lag = &d
		}
	}
	for _, e := range []string{"last_io_error", "last_sql_error"} {
		if c.Error == "" {
			c.Error = printable([]byte(strings.TrimSpace(r[e])))
		}
	}
	return c
}

// IO is what InnoDB waited for one kind of its files since the server started,
// as it measured that itself.
type IO struct {
	File   string // "data" or "log"
	Reads  Waits
	Writes Waits
	Syncs  Waits // and other calls that move no bytes
}

// Waits are calls to the system and how long they took together.
type Waits struct {
	Count int64
	Time  time.Duration
}

// ioQuery gets nothing where performance_schema is off, as it is in MariaDB if
// nobody turns it on.
const ioQuery = "SELECT EVENT_NAME, COUNT_READ, SUM_TIMER_READ, COUNT_WRITE, SUM_TIMER_WRITE, COUNT_MISC, SUM_TIMER_MISC " +
	"FROM performance_schema.file_summary_by_event_name " +
	"WHERE EVENT_NAME IN ('wait/io/file/innodb/innodb_data_file', 'wait/io/file/innodb/innodb_log_file')"

func ioOf(r row) IO {
	waits := func(what string) Waits {
		// The timers count picoseconds.
		return Waits{r.number("count_" + what), time.Duration(r.number("sum_timer_"+what) / 1000)}
	}
	file := "data"
	if strings.HasSuffix(r["event_name"], "log_file") {
		file = "log"
	}
	return IO{File: file, Reads: waits("read"), Writes: waits("write"), Syncs: waits("misc")}
}
