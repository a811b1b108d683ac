package volume

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bootswain/ebs"
	"bootswain/internal/run"
	"bootswain/spec"
)

// speed compares with a script of the bare tools, on this machine's own devices,
// all of which it overwrites. Both sides run in turn in one run: seconds differ
// from machine to machine, ratios do not.
var speed = flag.Int("speed", 0, "compare with the bare tools, this many times each")

// TestSpeed prints a table of ratios. It runs in a micro guest with six disks
// (make bench-storage); only what is wrong fails it, never what is slow.
func TestSpeed(t *testing.T) {
	if *speed == 0 {
		t.Skip("for a micro guest with nothing to lose")
	}
	b := newRealBench(t, 6)
	one := over(b.ids()[:2]...)

	fmt.Printf("%-62s %9s %9s %6s\n", "median of "+fmt.Sprint(*speed), "tools", "bootswain", "ratio")
	defaults := race{name: "first boot: script with the tools' defaults"}
	reboot := race{name: "reboot: script with the tools' defaults"}
	same := race{name: "reboot: the tools alone, on the same set"}
	event := race{name: "last uevent to mounted: the tools alone, on the same set"}
	own := race{name: "first boot: the programs that bootswain runs, the rest its own"}
	for range *speed {
		b.clear(t)
		defaults.tools(func() { b.script(t, one, createScript) })
		b.reboot(t)
		reboot.tools(func() { b.script(t, one, startScript) })
		handMade := b.table(t)
		b.clear(t)

		clock := &stopwatch{Runner: b.runner}
		h := b.host()
		h.Run = clock
		took := defaults.ours(func() { b.converge(t, h, one) })
		own.add(clock.total, took)
		if ours := b.table(t); ours != handMade {
			t.Errorf("the mapping is %q; made by hand it is %q", ours, handMade)
		}
		b.reboot(t)
		took = reboot.ours(func() { b.converge(t, b.host(), one) })
		b.reboot(t)
		same.add(timed(func() { b.script(t, one, startScript) }), took)
		b.reboot(t)
		theirs := b.comes(t, one, func(context.Context) (began, mounted time.Time) {
			if chosen, err := realEBS.Choose(one.EBS.IDs, nil); err != nil || len(chosen.Missing) > 0 {
				return began, mounted
			}
			b.look(t)
			began = time.Now()
			b.script(t, one, startScript)
			return began, time.Now()
		})
		b.reboot(t)
		event.add(theirs, b.comes(t, one, func(ctx context.Context) (began, mounted time.Time) {
			h, clock := b.host(), &mountClock{Units: b}
			h.Units, began = clock, time.Now()
			if s, err := Converge(ctx, h, one, nil); err != nil || !s.mountedAt(one.Mount) {
				return began, mounted
			}
			return began, clock.mounted
		}))
		b.reboot(t)
	}
	for _, r := range []race{defaults, reboot, same, event, own} {
		r.print()
	}
}

// TestSpeedThree compares three sets one after the other with three at once. It
// needs two processors to show anything.
func TestSpeedThree(t *testing.T) {
	if *speed == 0 {
		t.Skip("for a micro guest with nothing to lose")
	}
	b := newRealBench(t, 6)
	ids := b.ids()
	var sets []spec.Volume
	for i := range 3 {
		want := over(ids[2*i : 2*i+2]...)
		want.Name = fmt.Sprint("set", i)
		want.Mount = "/srv/" + want.Name
		sets = append(sets, want)
	}
	r := race{name: "three sets' first boot: one after the other, at once"}
	script := race{name: "three sets: defaults one after the other, bootswain at once"}
	b.clear(t)
	script.tools(func() { // once: it is not close
		for _, want := range sets {
			b.script(t, want, createScript)
		}
	})
	for range *speed {
		b.clear(t)
		r.tools(func() {
			for _, want := range sets {
				b.converge(t, b.host(), want)
			}
		})
		b.clear(t)
		script.itsOwn = append(script.itsOwn, r.ours(func() {
			var wait sync.WaitGroup
			for _, want := range sets {
				wait.Go(func() { b.converge(t, b.host(), want) })
			}
			wait.Wait()
		}))
	}
	r.print()
	script.print()
}

// The scripts get the set's name and its devices as arguments and the key on
// standard input.
const (
	createScript = `set -e; name=$0; cat >/tmp/key
mdadm --create /dev/md/$name --quiet --run --level=0 --raid-devices=$# "$@"
cryptsetup luksFormat --batch-mode --key-file=/tmp/key /dev/md/$name
cryptsetup open --key-file=/tmp/key /dev/md/$name bootswain-$name
mkfs.xfs -q /dev/mapper/bootswain-$name
mount -t xfs -o noatime /dev/mapper/bootswain-$name /srv/$name`
	startScript = `set -e; name=$0; cat >/tmp/key
mdadm --assemble --quiet /dev/md/$name "$@"
cryptsetup open --key-file=/tmp/key /dev/md/$name bootswain-$name
mount -t xfs -o noatime /dev/mapper/bootswain-$name /srv/$name`
)

func (b *realBench) script(t *testing.T, want spec.Volume, text string) {
	t.Helper()
	key, err := keyring{}.Unseal(t.Context(), want.Encryption.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(want.Mount, 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"-c", text, want.Name}
	for _, id := range want.EBS.IDs {
		args = append(args, b.devices[id].Path)
	}
	err = key.Use(func(k []byte) error {
		_, err := b.runner.Run(t.Context(), run.Cmd{Name: "sh", Args: args, Stdin: k, Timeout: 10 * time.Minute})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *realBench) converge(t *testing.T, h *Host, want spec.Volume) {
	t.Helper()
	if s, err := Converge(t.Context(), h, want, nil); err != nil || !s.mountedAt(want.Mount) {
		t.Errorf("%v\n%s", err, b.up(t))
	}
}

// comes measures from the event of the last device to the mount.
func (b *realBench) comes(t *testing.T, want spec.Volume, bring func(context.Context) (began, mounted time.Time)) time.Duration {
	t.Helper()
	last := want.EBS.IDs[len(want.EBS.IDs)-1]
	b.detach(t, last)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := ebs.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go b.rescan(t)
	for {
		<-events
		if began, mounted := bring(ctx); !mounted.IsZero() {
			b.look(t)
			return mounted.Sub(began)
		}
	}
}

// mountClock notes when a file system was mounted.
type mountClock struct {
	Units
	mounted time.Time
}

func (c *mountClock) Mount(ctx context.Context, m MountSpec) error {
	err := c.Units.Mount(ctx, m)
	c.mounted = time.Now()
	return err
}

// table is the mapping's line without its length, which the array's chunk
// rounds, the key, and the number of the device.
func (b *realBench) table(t *testing.T) string {
	t.Helper()
	out, err := b.runner.Run(t.Context(), run.Cmd{Name: "dmsetup", Args: []string{"table", "bootswain-data"}})
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(out))
	if len(fields) < 8 {
		t.Fatalf("the mapping is %q", out)
	}
	fields[4], fields[6] = "KEY", "DEVICE"
	return strings.Join(fields[2:], " ")
}

// clear makes every device blank.
func (b *realBench) clear(t *testing.T) {
	t.Helper()
	b.reboot(t)
	for _, d := range b.devices {
		blank(t, d)
	}
}

// race is a comparison of two sides.
type race struct {
	name           string
	theirs, itsOwn []time.Duration
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

func (r *race) add(tools, ours time.Duration) {
	r.theirs, r.itsOwn = append(r.theirs, tools), append(r.itsOwn, ours)
}
func (r *race) tools(do func()) { r.theirs = append(r.theirs, timed(do)) }
func (r *race) ours(do func()) time.Duration {
	took := timed(do)
	r.itsOwn = append(r.itsOwn, took)
	return took
}

func (r *race) print() {
	median := func(d []time.Duration) float64 {
		d = slices.Sorted(slices.Values(d))
		return d[len(d)/2].Seconds()
	}
	tools, ours := median(r.theirs), median(r.itsOwn)
	fmt.Printf("%-62s %8.2fs %8.2fs %6.2f\n", r.name, tools, ours, ours/tools)
}

// stopwatch adds up how long programs ran.
type stopwatch struct {
	run.Runner
	total time.Duration
}

func (s *stopwatch) Run(ctx context.Context, c run.Cmd) (out []byte, err error) {
	s.total += timed(func() { out, err = s.Runner.Run(ctx, c) })
	return out, err
}
