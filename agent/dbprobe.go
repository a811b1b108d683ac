package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"bootswain/health"
	"bootswain/mysql"
)

const (
	probeLimit = 5 * time.Second
	pingLimit  = 2 * time.Second
	// accountLimit is for the account, which is made once, in a server that has
	// only just started.
	accountLimit = 15 * time.Second
	// silentLooks is how many looks in a row have to end without a status before
	// that is news; the last status stands until then.
	silentLooks = 3
	// silentAfter is how old the last look at the database may be. One that waits
	// for a disk that does not answer cannot be ended.
	silentAfter = 30 * time.Second
	// deniedFor is how long a server that does not know the account is not asked
	// again; MariaDB logs each time.
	deniedFor = time.Minute
)

// databaseProbe asks the running server how it is. There is one at a time.
type databaseProbe struct {
	before []mysql.IO // of the last answer, for what happened since
	denied time.Time  // when it last turned the account away
	why    error      // and with what
	silent int        // looks in a row that it did not answer in time
	last   *health.DB // what it said last
}

// ask fills in what the server says: its status, or at least its version and
// why there is no more.
func (p *databaseProbe) ask(ctx context.Context, v *databaseView) {
	v.unread = p.why
	if time.Since(p.denied) > deniedFor {
		p.why = nil
		if v.status, v.unread = p.read(ctx); v.unread == nil {
			v.version, p.last, p.silent = v.status.Version, v.status, 0
			return
		}
		switch p.silent++; {
		case mysql.TroubleOf(v.unread) == mysql.NoAccount:
			p.denied, p.why = time.Now(), v.unread
		case mysql.TroubleOf(v.unread) == mysql.Silent && p.silent < silentLooks:
			v.status, v.unread = p.last, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	v.version, _ = mysql.Ping(ctx, listening())
}

func (p *databaseProbe) read(ctx context.Context) (*health.DB, error) {
	socket := listening()
	st, err := readStatus(ctx, socket)
	if err != nil && mysql.TroubleOf(err) == mysql.NoAccount && mysql.MayMakeAccount(mysql.Directory) {
		making, cancel := context.WithTimeout(ctx, accountLimit)
		defer cancel()
		if made := mysql.MakeAccount(making, socket, mysql.Directory); made != nil {
			return nil, errors.Join(err, made)
		}
		st, err = readStatus(ctx, socket)
	}
	if err != nil {
		return nil, err
	}
	before := p.before
	p.before = st.IO
	return statusOf(st, before, time.Now()), nil
}

// readStatus reads the status of a server that may hang.
func readStatus(ctx context.Context, socket string) (mysql.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return mysql.Read(ctx, socket)
}

// listening is the socket of the server that runs.
func listening() string {
	for _, socket := range mysql.Sockets {
		if exists(socket) {
			return socket
		}
	}
	return mysql.Sockets[0]
}

// statusOf is a server's status as the report has it. before are the waits of
// the look before; where there was none, those since the server started count.
func statusOf(st mysql.Status, before []mysql.IO, now time.Time) *health.DB {
	db := &health.DB{
		Time: now, Version: st.Version, UUID: st.UUID, Uptime: st.Uptime,
		Connections: st.Connections, MaxConnections: st.MaxConnections,
		History: st.History, CheckpointAge: st.CheckpointAge, CheckpointMax: st.CheckpointMax, DirtyPages: st.DirtyPages,
		ReadOnly: st.ReadOnly, SuperReadOnly: st.SuperReadOnly, Events: st.Events, GTID: health.GTID(st.GTID),
	}
	for _, c := range st.Channels {
		db.Channels = append(db.Channels, health.Channel(c))
	}
	for _, io := range st.IO {
		var last mysql.IO
		if i := slices.IndexFunc(before, func(b mysql.IO) bool { return b.File == io.File }); i >= 0 && calls(before[i]) <= calls(io) {
			last = before[i]
		}
		db.IO = append(db.IO, health.Latency{
			File: io.File, Read: mean(io.Reads, last.Reads), Write: mean(io.Writes, last.Writes), Sync: mean(io.Syncs, last.Syncs),
			Calls: calls(io) - calls(last),
		})
	}
	return db
}

// calls are fewer than before once the server was restarted.
func calls(io mysql.IO) int64 { return io.Reads.Count + io.Writes.Count + io.Syncs.Count }

// mean is how long a call took between two looks.
func mean(now, before mysql.Waits) time.Duration {
	if n := now.Count - before.Count; n > 0 {
		return (now.Time - before.Time) / time.Duration(n)
	}
	return 0
}
