package ebs

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const addNVMe = "add@/devices/pci0000:00/0000:00:1f.0/nvme/nvme1/nvme1n1\x00ACTION=add\x00" +
	"DEVPATH=/devices/pci0000:00/0000:00:1f.0/nvme/nvme1/nvme1n1\x00SUBSYSTEM=block\x00MAJOR=259\x00MINOR=3\x00" +
	"DEVNAME=nvme1n1\x00DEVTYPE=disk\x00DISKSEQ=9\x00SEQNUM=1741\x00"

func TestParseUevent(t *testing.T) {
	for name, tt := range map[string]struct {
		msg  string
		want Event
		ok   bool
	}{
		"a disk comes":     {addNVMe, Event{Action: "add", Name: "nvme1n1"}, true},
		"a disk goes":      {strings.ReplaceAll(addNVMe, "add", "remove"), Event{Action: "remove", Name: "nvme1n1"}, true},
		"no block device":  {strings.Replace(addNVMe, "=block", "=nvme", 1), Event{}, false},
		"udev's message":   {"libudev\x00\xfe\xed\xca\xfe", Event{}, false},
		"no device path":   {"add@\x00SUBSYSTEM=block\x00", Event{}, false},
		"the root":         {"add@/\x00SUBSYSTEM=block\x00", Event{}, false},
		"no action":        {"@/devices/x\x00SUBSYSTEM=block\x00", Event{}, false},
		"cut off":          {addNVMe[:60], Event{}, false},
		"nothing":          {"", Event{}, false},
		"SUBSYSTEM inside": {"add@/devices/x\x00NAME=SUBSYSTEM=block\x00", Event{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := parseUevent([]byte(tt.msg)); got != tt.want || ok != tt.ok {
				t.Errorf("parseUevent() = %+v, %v; want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// TestWatchEnds listens to this machine's kernel; the closed channel is the last
// thing that its goroutine does.
func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	events, err := Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range events {
		continue // events of the test machine's own disks
	}
}

type closer func()

func (c closer) Close() error { c(); return nil }

func TestFollow(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	closed := make(chan struct{})
	answers := []func() (Event, bool, error){
		func() (Event, bool, error) { return Event{Action: "add", Name: "nvme1n1"}, true, nil },
		func() (Event, bool, error) { return Event{}, false, nil },
		func() (Event, bool, error) { return Event{}, false, unix.ENOBUFS },
		func() (Event, bool, error) { return Event{Action: "remove", Name: "nvme1n1"}, true, nil },
		func() (Event, bool, error) { <-closed; return Event{}, false, unix.EBADF },
	}
	next := func() (Event, bool, error) {
		answer := answers[0]
		answers = answers[1:]
		return answer()
	}
	events := follow(ctx, next, closer(func() { close(closed) }))
	for i, want := range []Event{{Action: "add", Name: "nvme1n1"}, {Lost: true}, {Action: "remove", Name: "nvme1n1"}} {
		if got := <-events; got != want {
			t.Errorf("event %d is %+v, want %+v", i, got, want)
		}
	}
	cancel()
	for e := range events {
		t.Errorf("after the end came %+v", e)
	}
}

func TestFollowBrokenSocket(t *testing.T) {
	var closes int
	events := follow(t.Context(), func() (Event, bool, error) { return Event{}, false, unix.EIO }, closer(func() { closes++ }))
	if e, open := <-events; !e.Lost || !open {
		t.Errorf("first came %+v, %v; want Lost", e, open)
	}
	if e, open := <-events; open {
		t.Errorf("then came %+v, want the end", e)
	}
	if closes != 1 {
		t.Errorf("the socket was closed %d times", closes)
	}
}

func FuzzUevent(f *testing.F) {
	f.Add([]byte(addNVMe))
	f.Add([]byte("remove@/devices/virtual/block/md127\x00SUBSYSTEM=block"))
	f.Add([]byte("libudev\x00"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		e, ok := parseUevent(msg)
		if ok && (e.Action == "" || e.Name == "" || strings.Contains(e.Name, "/") || e.Lost) {
			t.Errorf("event is %+v", e)
		}
		if !ok && e != (Event{}) {
			t.Errorf("no event, and yet %+v", e)
		}
	})
}
