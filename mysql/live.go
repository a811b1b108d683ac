package mysql

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
)

// Host is where the gate looks for itself.
type Host struct {
	Proc      string       // "/proc"
	Sys       string       // "/sys"
	Directory string       // "/var/lib/mysql"
	Members   func() error // every device of the volume is still there; must not touch the file system
	Stack     Stack        // what the volume was made of when it was brought up
	Server    string       // "mariadb"
	Program   Program      // that would start
	Upgrade   bool         // the launch data allow an upgrade to another series
	Owner     int          // user id of the server; -1 if it is not known
	Isolation Isolation    // carried out with Admit
	Elsewhere []LivePart   // what is on other volumes
	Admit     bool         // the server starts if Live finds nothing: note that it was let at the data
}

// LivePart is a part of the server's files on another volume, which is looked at
// as the data's volume is.
type LivePart struct {
	Part    Part
	Volume  string // name
	Members func() error
	Stack   Stack
}

// Stack is what a volume's file system stands on. What is empty is not known,
// and not compared.
type Stack struct {
	Type  string // of the file system
	LUKS  string // UUID of the header
	Under string // kernel's name of what the mapping is on: "md127", or of a single device "nvme1n1"
}

// The gate answers within a second: the time for a busy device to show that it
// works, and for the file system to answer.
const (
	progressLimit = 250 * time.Millisecond
	fileLimit     = 700 * time.Millisecond
)

// Live looks, without asking the daemon, whether the databases in Directory are
// those of the volume and can be reached. It goes from what cannot hang (the
// mount table, sysfs) to what can, and touches the file system only if all
// before was well: a thread that waits for a dead disk cannot be ended, and
// the process with it.
func (h Host) Live(ctx context.Context, volume string) error {
	if err := h.stands(ctx, volume, onVolume); err != nil {
		return err
	}
	for _, p := range h.Elsewhere {
		there := h
		there.Directory, there.Members, there.Stack = p.Part.Place(h.Directory), p.Members, p.Stack
		if err := there.stands(ctx, p.Volume, p.Part.onVolume()); err != nil {
			return err
		}
	}
	answer := make(chan error, 1)
	go func() { answer <- h.files(volume) }()
	select {
	case err := <-answer:
		return err
	case <-time.After(fileLimit):
		return fmt.Errorf("volume %s is mounted but did not answer within %s", volume, fileLimit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stands looks at all but the file system of a volume, whose directory root is to
// be mounted on Directory.
func (h Host) stands(ctx context.Context, volume, root string) error {
	device, err := h.device(volume, root)
	if err != nil {
		return err
	}
	if err := h.Members(); err != nil {
		return err
	}
	return h.progress(ctx, volume, device)
}

// device reads from the mount table that Directory is the right directory of
// the right volume, and returns the sysfs folder of its mapping.
func (h Host) device(volume, root string) (string, error) {
	f, err := os.Open(filepath.Join(h.Proc, "self/mountinfo"))
	if err != nil {
		return "", fmt.Errorf("cannot read the mount table: %w", err)
	}
	defer f.Close()
	mounts, err := mountinfo.GetMountsFromReader(f, func(m *mountinfo.Info) (skip, stop bool) {
		return m.Mountpoint != h.Directory, false
	})
	if err != nil {
		return "", fmt.Errorf("cannot read the mount table: %w", err)
	}
	if len(mounts) == 0 {
		return "", fmt.Errorf("%s is not mounted from volume %s", h.Directory, volume)
	}
	top := mounts[len(mounts)-1] // what was mounted last hides the others
	device := filepath.Join(h.Sys, "dev/block", fmt.Sprintf("%d:%d", top.Major, top.Minor))
	name, err := os.ReadFile(filepath.Join(device, "dm/name"))
	if err != nil || strings.TrimSpace(string(name)) != "bootswain-"+volume {
		return "", fmt.Errorf("%s is mounted from %s, not from volume %s", h.Directory, top.Source, volume)
	}
	if top.Root != "/"+root {
		return "", fmt.Errorf("%s shows %s of volume %s, not /%s", h.Directory, top.Root, volume, root)
	}
	if h.Stack.Type != "" && top.FSType != h.Stack.Type {
		return "", fmt.Errorf("%s is %s, and volume %s has %s", h.Directory, top.FSType, volume, h.Stack.Type)
	}
	return device, h.mapping(volume, device)
}

// mapping compares what the volume's mapping is, and is on, with what it was
// when the volume was brought up. The UUID of a mapping is cryptsetup's:
// "CRYPT-LUKS2-" and the header's without dashes, and the name.
func (h Host) mapping(volume, device string) error {
	if want := "CRYPT-LUKS2-" + strings.ReplaceAll(h.Stack.LUKS, "-", "") + "-"; h.Stack.LUKS != "" {
		if uuid, err := os.ReadFile(filepath.Join(device, "dm/uuid")); err != nil || !strings.HasPrefix(string(uuid), want) {
			return fmt.Errorf("the mapping of volume %s is not of LUKS %s", volume, h.Stack.LUKS)
		}
	}
	if h.Stack.Under == "" {
		return nil
	}
	if on, err := names(filepath.Join(device, "slaves")); err != nil || len(on) != 1 || on[0] != h.Stack.Under {
		return fmt.Errorf("volume %s is on %s, not on %s", volume, some(on), h.Stack.Under)
	}
	return nil
}

// progress finds a device that has requests and finishes none.
func (h Host) progress(ctx context.Context, volume, device string) error {
	before, err := readIO(device)
	if err != nil || before.inFlight == 0 {
		return err
	}
	select {
	case <-time.After(progressLimit):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	after, err := readIO(device)
	if err != nil {
		return err
	}
	if after.inFlight > 0 && after.finished == before.finished {
		return fmt.Errorf("volume %s does not answer: %d requests, none finished in %s", volume, after.inFlight, progressLimit)
	}
	return nil
}

type ioCount struct{ finished, inFlight uint64 }

// readIO reads a block device's statistics; the fields are those of the
// kernel's Documentation/block/stat.rst.
func readIO(device string) (ioCount, error) {
	data, err := os.ReadFile(filepath.Join(device, "stat"))
	if err != nil {
		return ioCount{}, fmt.Errorf("cannot read the device's statistics: %w", err)
	}
	var n [9]uint64
	for i, field := range strings.Fields(string(data)) {
		if i == len(n) {
			break
		}
		if _, err := fmt.Sscan(field, &n[i]); err != nil {
			return ioCount{}, fmt.Errorf("cannot read the device's statistics: %q", data)
		}
	}
	return ioCount{finished: n[0] + n[4], inFlight: n[8]}, nil
}

// files checks that the directory was made or taken over for this purpose, that
// it holds a database that this server can open, and that no other has it open.
// The error may be a situation.
func (h Host) files(volume string) error {
	d, err := ReadData(h.Directory)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read volume %s: %w", volume, err)
	case !exists(h.Directory, sentinel):
		return fmt.Errorf("%s on volume %s has no %s, so it was not made for this", h.Directory, volume, sentinel)
	case d.Content != Whole:
		return fmt.Errorf("%s on volume %s is no whole data directory: it has no %s", h.Directory, volume, d.Lacks)
	}
	owner, err := ownerOf(h.Directory)
	if err != nil {
		return fmt.Errorf("cannot read volume %s: %w", volume, err)
	}
	if h.Owner >= 0 && owner.uid != h.Owner {
		return fmt.Errorf("%s on volume %s belongs to user id %d, and the server runs as %d", h.Directory, volume, owner.uid, h.Owner)
	}
	if _, err := h.Program.Fits(h.Server, d, h.Upgrade); err != nil {
		return err
	}
	root, err := os.Open(h.Directory)
	if err != nil {
		return fmt.Errorf("cannot read volume %s: %w", volume, err)
	}
	defer root.Close()
	if err := (folder{root}).inUse(h.Server, h.Proc); err != nil {
		return err
	}
	asked, err := h.together()
	if err != nil || !h.Admit {
		return err
	}
	if err := h.Isolation.Settle(h.Directory, settings(asked, h.Program.Flavour)); err != nil || !d.Wrote.before(h.Program.Version) {
		return err
	}
	return Record(h.Directory, volume, d, h.Program)
}

// together says whether what is elsewhere belongs to the data: nil, or HELD.
func (h Host) together() (asked []Elsewhere, err error) {
	for _, p := range h.Elsewhere {
		asked = append(asked, Elsewhere{Part: p.Part, Volume: p.Volume})
	}
	pair, err := readPair(h.Directory)
	if err != nil {
		return nil, err
	}
	if err := pair.named(h.Server, asked); err != nil {
		return nil, err
	}
	for _, e := range asked {
		if !e.Part.belongs() {
			continue
		}
		if err := pair.fits(h.Server, e, e.Part.Place(h.Directory)); err != nil {
			return nil, err
		}
	}
	return asked, nil
}
