package e2e

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"bootswain/lab"
)

// writer inserts the rows from+1, from+2, … into orders.o, each a transaction of
// its own, and counts outside of the machine those that the server acknowledged.
type writer struct {
	client *ssh.Client
	last   atomic.Int64
	from   int
	news   chan struct{} // capacity 1
	done   chan struct{}
}

// rowText makes a row so large that some hundred of them are work for a server
// that starts after a power cut.
const rowText = "repeat('row ', 8)"

// write starts a writer. It ends with the machine's power, with the database, or
// with end.
func (b *bench) write(m *lab.Machine, from int) *writer {
	b.Helper()
	client, err := m.Dial(b.ctx, b.ops.name, b.ops.signer)
	must(b, err)
	b.Cleanup(func() { _ = client.Close() })
	session, err := client.NewSession()
	must(b, err)
	statements, err := session.StdinPipe()
	must(b, err)
	rows, err := session.StdoutPipe()
	must(b, err)
	must(b, session.Start("sudo -n "+b.server(m).client+" --unbuffered --skip-reconnect -N"))
	w := &writer{client: client, from: from, news: make(chan struct{}, 1), done: make(chan struct{})}
	w.last.Store(int64(from))
	go func() {
		for n := from + 1; ; n++ {
			if _, err := fmt.Fprintf(statements, "insert into orders.o values (%d, %s); select %d;\n", n, rowText, n); err != nil {
				return
			}
		}
	}()
	go func() {
		defer close(w.done)
		for lines := bufio.NewScanner(rows); lines.Scan(); {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				return
			}
			w.last.Store(int64(n))
			select {
			case w.news <- struct{}{}:
			default:
			}
		}
	}()
	return w
}

// await returns when so many rows are acknowledged.
func (w *writer) await(b *bench, rows int) {
	b.Helper()
	limit := time.After(5 * time.Minute)
	for int(w.last.Load())-w.from < rows {
		select {
		case <-w.news:
		case <-w.done:
			b.Fatalf("the writer ended after %d rows", w.last.Load())
		case <-limit:
			b.Fatalf("the writer hangs after %d rows", w.last.Load())
		}
	}
}

// end stops the writer and returns the last row that was acknowledged.
func (w *writer) end() int {
	_ = w.client.Close()
	<-w.done
	return int(w.last.Load())
}

// acknowledged checks that every row up to last is there.
func (b *bench) acknowledged(m *lab.Machine, last int, after string) (rows int) {
	b.Helper()
	var beyond int
	got := b.sql(m, fmt.Sprintf("select count(*), coalesce(sum(n > %[1]d), 0) from orders.o where n > 0 and t = %[2]s", last, rowText))
	if _, err := fmt.Sscan(strings.ReplaceAll(got, "\t", " "), &rows, &beyond); err != nil {
		b.Fatalf("cannot count the rows: %q: %v", got, err)
	}
	if rows-beyond != last {
		b.Errorf("after %s %d of the %d acknowledged rows are there", after, rows-beyond, last)
	}
	b.step("%d acknowledged rows are there after %s, and %d more", last, after, beyond)
	return rows
}
