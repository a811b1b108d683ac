// Package crash cuts the power of micro guests, really and in replay, and makes
// sure that what a guest leaves behind becomes a volume again without help, with
// everything in it that was acknowledged. The guest's half is volume's TestCrash.
package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"bootswain/lab/image"
	"bootswain/lab/nbd"
)

// report and order are crashReport and crashOrder of package volume.
type report struct {
	Mark, File, Sum, Word, Text string
	Held                        map[string]string
}

type order struct {
	Do, Volume string
	IDs        []string
}

const letter = 16 << 10 // as in package volume

// set is the disks of one volume, and what must be on them.
type set struct {
	volume string
	ids    []string
	disks  []*nbd.Disk

	mu     sync.Mutex
	ledger []entry
}

// entry is a file that was acknowledged.
type entry struct {
	at        int // in the journal; 0 where there is none
	file, sum string
}

func (s *set) order(do string) order { return order{do, s.volume, s.ids} }

func (s *set) acknowledge(at int, file, sum string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = append(s.ledger, entry{at, file, sum})
}

// missing returns what was acknowledged up to a moment and is not held.
func (s *set) missing(at int, held map[string]string) (lost []string, acknowledged int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.ledger {
		if e.at > at {
			continue
		}
		acknowledged++
		if held[e.file] != e.sum {
			lost = append(lost, fmt.Sprintf("%s (%.8s, now %.8s)", e.file, e.sum, held[e.file]))
		}
	}
	return lost, acknowledged
}

// site is where guests run: their disks behind one server, and the mailbox.
type site struct {
	t       *testing.T
	micro   image.Micro
	server  nbd.Server
	socket  string
	mailbox *nbd.Disk
}

// Two disks together, and one alone, carry the least that mkfs.xfs takes.
const (
	half  = 176 << 20
	alone = 336 << 20
)

func newSite(t *testing.T) *site {
	t.Helper()
	if os.Getenv("BOOTSWAIN_E2E") == "" {
		t.Skip("set BOOTSWAIN_E2E=1 to start virtual machines")
	}
	micro, err := image.BuildMicroTest(t.Context(), t.Output(), "bootswain/volume")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, micro: micro, socket: filepath.Join(t.TempDir(), "nbd")}
	l, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-served, micro.Remove()); err != nil {
			t.Error(err)
		}
	})
	s.mailbox = s.disk("mailbox", 1<<20)
	return s
}

func (s *site) disk(name string, size int64) *nbd.Disk {
	s.t.Helper()
	d, err := nbd.Open(filepath.Join(s.t.TempDir(), name), size)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { d.Close() })
	s.server.Add(name, d)
	return d
}

func (s *site) set(volume string, size int64, ids ...string) *set {
	s.t.Helper()
	made := &set{volume: volume, ids: ids}
	for _, id := range ids {
		made.disks = append(made.disks, s.disk(id, size))
	}
	return made
}

// guest boots a guest with these sets, answers what it says, and returns when it
// has ended or ctx has.
func (s *site) guest(ctx context.Context, limit time.Duration, answer func(report) order, sets ...*set) (exit int, err error) {
	s.t.Helper()
	disks := []image.MicroDisk{{File: s.address("mailbox"), Serial: "mailbox"}}
	for _, set := range sets {
		for _, id := range set.ids {
			disks = append(disks, image.MicroDisk{File: s.address(id), Serial: "vol" + id[len("vol-"):]})
		}
	}
	s.mailbox.Tell(func(b []byte) {
		var r report
		err := json.Unmarshal(bytes.TrimRight(b, "\x00"), &r)
		text, err2 := json.Marshal(answer(r))
		buf := make([]byte, letter)
		copy(buf, text)
		_, err3 := s.mailbox.WriteAt(buf, letter)
		if err := errors.Join(err, err2, err3); err != nil {
			s.t.Error(err)
		}
	})
	return image.RunMicro(ctx, s.micro, image.MicroRun{
		Disks: disks, Args: []string{"-test.run=^TestCrash$", "-test.v", "-test.timeout=0", "-real"}, Timeout: limit, Out: s.t.Output(),
	})
}

func (s *site) address(name string) string { return "nbd+unix:///" + name + "?socket=" + s.socket }

// setting reads a number from the environment.
func setting(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
