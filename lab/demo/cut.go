package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"bootswain/lab/control"
)

// enough is how many orders must have been acknowledged before the power goes.
const enough = 100

// unflushed writes to the volume for ever and flushes nothing: a database
// flushes whatever matters, and there would be little to lose.
const unflushed = "while sudo -n dd if=/dev/zero of=" + mountPoint + "/noise bs=64k count=64 oflag=direct conv=notrunc status=none; do :; done"

// cut takes the power away while orders are being written. What the database
// has acknowledged must be there afterwards.
func (d *Demo) cut(ctx context.Context) error {
	t, err := d.startTraffic()
	if err != nil {
		return err
	}
	noise, err := d.client.NewSession()
	if err != nil {
		return err
	}
	if err := noise.Start(unflushed); err != nil {
		return err
	}
	if err := d.Screen.Wait("orders to come in", func(tell func(string)) error { return t.reach(ctx, enough, tell) }); err != nil {
		return err
	}
	if err := d.call(ctx, "the machine to come back", "cut", control.Cut{LoseUnflushed: true, Seed: 1}, nil); err != nil {
		return err
	}
	d.hangUp()
	<-t.done
	if err := d.follow(ctx); err != nil {
		return err
	}
	if err := d.sameRows(ctx); err != nil {
		return err
	}
	return d.sameTraffic(ctx, int(t.acknowledged.Load()))
}

// sameTraffic compares what was acknowledged with what is there. The last
// order may be there without its acknowledgement having got out.
func (d *Demo) sameTraffic(ctx context.Context, acknowledged int) error {
	line, err := d.sql(ctx, "select count(*), coalesce(max(n), 0) from demo.traffic;")
	if err != nil {
		return err
	}
	var count, last int
	if _, err := fmt.Sscanf(line, "%d\t%d", &count, &last); err != nil {
		return fmt.Errorf("database: expected a count and the last order; saw %q", line)
	}
	if count != last || count < acknowledged {
		return fmt.Errorf("database: expected the %d orders that were acknowledged, without a gap; saw %d, the last is number %d", acknowledged, count, last)
	}
	d.Screen.Pass("%d orders were acknowledged before the power went; %d are there", acknowledged, count)
	return nil
}

// traffic is a client that writes one order after the other and hears of each
// when it is committed.
type traffic struct {
	acknowledged atomic.Int64
	done         chan struct{} // closed when nothing more will be heard
}

func (d *Demo) startTraffic() (*traffic, error) {
	s, err := d.client.NewSession()
	if err != nil {
		return nil, err
	}
	stdin, err := s.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := s.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.Start("sudo -n mariadb -N -B --unbuffered demo"); err != nil {
		return nil, err
	}
	t := &traffic{done: make(chan struct{})}
	go t.write(stdin)
	go t.hear(s, stdout)
	return t, nil
}

// write ends with the connection.
func (t *traffic) write(to io.Writer) {
	for n := 1; ; n++ {
		if _, err := fmt.Fprintf(to, "insert into traffic values (%d); select %[1]d;\n", n); err != nil {
			return
		}
	}
}

func (t *traffic) hear(s *ssh.Session, from io.Reader) {
	defer close(t.done)
	defer s.Close()
	for in := bufio.NewScanner(from); in.Scan(); {
		if n, err := strconv.ParseInt(in.Text(), 10, 64); err == nil {
			t.acknowledged.Store(n)
		}
	}
}

// reach waits until so many orders are acknowledged.
func (t *traffic) reach(ctx context.Context, n int64, tell func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		have := t.acknowledged.Load()
		if have >= n {
			return nil
		}
		tell(fmt.Sprintf("%d of %d", have, n))
		select {
		case <-time.After(100 * time.Millisecond):
		case <-t.done:
			return fmt.Errorf("orders: expected %d acknowledged; saw the database client end after %d", n, t.acknowledged.Load())
		case <-ctx.Done():
			return fmt.Errorf("orders: expected %d acknowledged; saw %d: %w", n, have, ctx.Err())
		}
	}
}
