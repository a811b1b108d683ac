package health

import "time"

// families are what a database server says of itself, for Prometheus.
func (db DB) families() []Family {
	gauge := func(name, help string, value float64) Family {
		return Family{Name: "bootswain_mysql_" + name, Kind: Gauge, Help: help, Samples: []Sample{{Value: value}}}
	}
	all := []Family{
		{Name: "bootswain_mysql_info", Kind: Gauge, Help: "Always 1; the labels say which server it is.",
			Samples: []Sample{{map[string]string{"version": db.Version, "server_uuid": db.UUID}, 1}}},
		gauge("uptime_seconds", "For how long the server has been up.", db.Uptime.Seconds()),
		gauge("connections", "Connections that are open.", float64(db.Connections)),
		gauge("connections_limit", "Connections that may be open: max_connections.", float64(db.MaxConnections)),
		gauge("history_list_length", "Transactions whose undo log waits for InnoDB's purge.", float64(db.History)),
		gauge("checkpoint_age_bytes", "Redo since InnoDB's last checkpoint.", float64(db.CheckpointAge)),
		gauge("checkpoint_limit_bytes", "Redo since the checkpoint at which writers wait.", float64(db.CheckpointMax)),
		gauge("dirty_pages", "Pages in memory that are not written yet.", float64(db.DirtyPages)),
		gauge("read_only", "Whether the server is read-only.", truth(db.ReadOnly)),
	}
	lag := Family{Name: "bootswain_mysql_replication_lag_seconds", Kind: Gauge, Help: "How far the server is behind a source, as it says itself."}
	runs := Family{Name: "bootswain_mysql_replication_running", Kind: Gauge, Help: "Whether a thread of the replication from a source runs."}
	for _, c := range db.Channels {
		label := func(thread string) map[string]string {
			l := map[string]string{"source": c.Source, "channel": c.Name}
			if thread != "" {
				l["thread"] = thread
			}
			return l
		}
		if c.Lag != nil {
			lag.Samples = append(lag.Samples, Sample{label(""), c.Lag.Seconds()})
		}
		runs.Samples = append(runs.Samples, Sample{label("receiver"), truth(c.Receiver == "Yes")}, Sample{label("applier"), truth(c.Applier == "Yes")})
	}
	waits := Family{Name: "bootswain_mysql_io_latency_seconds", Kind: Gauge, Help: "The mean time of a call on InnoDB's files since the look before, as InnoDB measured it."}
	for _, io := range db.IO {
		call := func(name string, took time.Duration) Sample {
			return Sample{map[string]string{"file": io.File, "call": name}, took.Seconds()}
		}
		waits.Samples = append(waits.Samples, call("read", io.Read), call("write", io.Write), call("sync", io.Sync))
	}
	for _, f := range []Family{lag, runs, waits} {
		if len(f.Samples) > 0 {
			all = append(all, f)
		}
	}
	return all
}
