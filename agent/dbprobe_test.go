package agent

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/mysql"
)

// turnsAway is a MariaDB that greets whoever comes and lets nobody in. It counts
// who came.
func turnsAway(t *testing.T, greeting string) *atomic.Int32 {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	before := mysql.Sockets
	mysql.Sockets = []string{socket}
	t.Cleanup(func() { mysql.Sockets = before })
	var came atomic.Int32
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, greeting)
				if n, _ := conn.Read(make([]byte, 512)); n == 0 {
					return
				}
				_, _ = io.WriteString(conn, "\x1b\x00\x00\x02\xff\x15\x04#28000Access denied, you")
			}()
		}
	}()
	return &came
}

// handshake is a MariaDB's greeting: Protocol::HandshakeV10.
const handshake = "\x52\x00\x00\x00\x0a11.8.6-MariaDB\x00\x01\x00\x00\x00saltsalt\x00\xfe\xf7\x21\x02\x00\xff\x81\x15" +
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00saltsaltsalt\x00mysql_native_password\x00"

// TestProbeTurnedAway: a server without the account is asked for its version
// only, since it would log each try.
func TestProbeTurnedAway(t *testing.T) {
	came := turnsAway(t, handshake)
	var p databaseProbe
	for look, want := range []int32{2, 3, 4} {
		var v databaseView
		p.ask(t.Context(), &v)
		if v.version != "11.8.6-MariaDB" || v.status != nil || mysql.TroubleOf(v.unread) != mysql.NoAccount {
			t.Errorf("look %d: version %q, %v", look, v.version, v.unread)
		}
		if got := came.Load(); got != want {
			t.Errorf("after look %d it was asked %d times, want %d", look, got, want)
		}
	}
	p.denied = time.Now().Add(-deniedFor)
	var v databaseView
	if p.ask(t.Context(), &v); came.Load() != 6 {
		t.Errorf("once the time was over it was asked %d times, want 6", came.Load())
	}
}

// TestProbeSilent: one that accepts and says nothing is left with ctx. What it
// said before stands for a while, since a busy machine is slow now and then.
func TestProbeSilent(t *testing.T) {
	turnsAway(t, "")
	p := databaseProbe{last: &health.DB{Version: "11.8"}}
	for look := 1; look <= silentLooks; look++ {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		var v databaseView
		p.ask(ctx, &v)
		if last := look == silentLooks; v.version != "" || (v.unread != nil) != last || (v.status == nil) != last {
			t.Errorf("look %d: version %q, status %v, %v", look, v.version, v.status, v.unread)
		}
	}
}
