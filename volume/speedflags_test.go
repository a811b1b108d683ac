package volume

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/internal/direct"
	"bootswain/internal/run"
	"bootswain/luks"
)

// TestSpeedFlags prints what dm-crypt's work queues cost: the same reads and
// writes past the page cache with each set of flags, as ratios to the tools'
// default, which is what bootswain uses. Its device answers at once and keeps
// nothing, since a clock that counts instructions cannot tell how long a disk
// takes.
func TestSpeedFlags(t *testing.T) {
	if *speed == 0 {
		t.Skip("for a micro guest with nothing to lose")
	}
	b := newRealBench(t, 1)
	path, key := b.devices[b.ids()[0]].Path, []byte(fmt.Sprintf("%-64s", "key"))
	runtime.GOMAXPROCS(2) // of which spin has one
	defer spin(t)()
	works := []struct {
		name  string
		block int
		count int
		flags int
		write bool
	}{
		{"read 16 KiB at random", 16 << 10, 512, os.O_RDONLY, false},
		{"write 16 KiB at random, each flushed", 16 << 10, 256, os.O_RDWR | unix.O_DSYNC, true},
		{"read 1 MiB in order", 1 << 20, 48, os.O_RDONLY, false},
		{"write 1 MiB in order", 1 << 20, 48, os.O_RDWR, true},
	}
	sets := [][]string{nil, {"--perf-no_read_workqueue"}, {"--perf-no_write_workqueue"}, {"--perf-no_read_workqueue", "--perf-no_write_workqueue"}, {"--allow-discards"}}
	took := map[string][]time.Duration{}
	for range *speed {
		for _, set := range sets {
			args := append([]string{"open", "--type", "plain", "--cipher", "aes-xts-plain64", "--key-size", "512", "--key-file=-", path, "bootswain-data"}, set...)
			if _, err := b.runner.Run(t.Context(), run.Cmd{Name: "cryptsetup", Args: args, Stdin: key}); err != nil {
				t.Fatal(err)
			}
			for _, w := range works {
				name := fmt.Sprint(w.name, set)
				took[name] = append(took[name], timed(func() { inout(t, w.block, w.count, w.flags, w.write) }))
			}
			if err := luks.Close(t.Context(), b.runner, "bootswain-data"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, w := range works {
		for _, set := range sets[1:] {
			r := race{name: fmt.Sprint(w.name, " ", set), theirs: took[fmt.Sprint(w.name, sets[0])], itsOwn: took[fmt.Sprint(w.name, set)]}
			r.print()
		}
	}
}

// spin keeps the processor from idling, at the lowest priority: an idle one would
// have the counted clock jump to the next timer. It returns what ends that.
func spin(t *testing.T) (end func()) {
	t.Helper()
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its priority
		if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0); err != nil {
			t.Error(err)
		}
		for !stop.Load() {
		}
	})
	return func() { stop.Store(true); wait.Wait() }
}

// inout reads or writes blocks of the opened volume past the page cache: small
// ones at random places, which are the same at every call.
func inout(t *testing.T, block, count, flags int, write bool) {
	t.Helper()
	f, err := os.OpenFile("/dev/mapper/bootswain-data", flags|unix.O_DIRECT, 0)
	if err != nil {
		t.Fatal(err)
	}
	buf, places := direct.Buffer(block), rand.New(rand.NewPCG(1, 2))
	for i := range count {
		at := int64(i)
		if block < 1<<20 {
			at = places.Int64N(128 << 20 / int64(block))
		}
		if write {
			_, err = f.WriteAt(buf, at*int64(block))
		} else {
			_, err = f.ReadAt(buf, at*int64(block))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
}
