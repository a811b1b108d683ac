package volume

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/filesystem"
	"bootswain/internal/direct"
	"bootswain/internal/run"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// TestCrash is the guest's half of the crash cases of package e2e/crash, which
// does the other half: it says what to do, cuts the power, and keeps the ledger
// of what was acknowledged. The two speak by a disk that is their mailbox.
func TestCrash(t *testing.T) {
	if !*real {
		t.Skip("it is for a micro guest whose disks are cut")
	}
	box := openMailbox(t)
	b := &realBench{runner: run.Host{}}
	for said := (crashReport{}); ; {
		order := box.ask(said)
		said = crashReport{}
		switch order.Do {
		case "live", "grow":
			b.live(t, box, order)
		case "recover":
			said = b.recover(t, order)
		default:
			return
		}
	}
}

// crashOrder is what the host wants done.
type crashOrder struct {
	Do     string   // "live", "grow", "recover" or "end"
	Volume string   // its name
	IDs    []string // of its devices
}

// crashReport is what the guest has to say.
type crashReport struct {
	Mark string            // a moment between two things that the guest does
	File string            // a file that is written and flushed …
	Sum  string            // … and its checksum
	Word string            // after a recovery: READY, or the situation's
	Text string            // all of it
	Held map[string]string // files and checksums that are there
}

// mailbox is a disk that the host hears of every write to.
type mailbox struct {
	t *testing.T
	f *os.File
}

// mailboxSerial is the serial number of that disk, and letter the size of what
// is written to it, at 0, and of the answer, behind that.
const (
	mailboxSerial = "mailbox"
	letter        = 16 << 10
)

func openMailbox(t *testing.T) mailbox {
	t.Helper()
	nodes, _ := filepath.Glob("/dev/nvme*n1")
	for _, node := range nodes {
		if b, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(node), "device/serial")); err == nil && strings.TrimSpace(string(b)) == mailboxSerial {
			f, err := os.OpenFile(node, os.O_RDWR|unix.O_DIRECT, 0)
			if err != nil {
				t.Fatal(err)
			}
			return mailbox{t, f}
		}
	}
	t.Fatal("there is no mailbox")
	return mailbox{}
}

func (m mailbox) ask(r crashReport) (answer crashOrder) {
	m.t.Helper()
	buf := direct.Buffer(letter)
	text, err := json.Marshal(r)
	if err != nil || len(text) > letter {
		m.t.Fatal(len(text), err)
	}
	copy(buf, text)
	if _, err := m.f.WriteAt(buf, 0); err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.f.ReadAt(buf, letter); err != nil {
		m.t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.TrimRight(buf, "\x00"), &answer); err != nil {
		m.t.Fatal(err)
	}
	return answer
}

func (m mailbox) mark(format string, args ...any) {
	m.ask(crashReport{Mark: fmt.Sprintf(format, args...)})
}

// of is what the launch data asks for.
func (o crashOrder) of() spec.Volume {
	want := over(o.IDs...)
	want.Name = o.Volume
	return want
}

// live leads a volume through its life, or boots it after its device has grown,
// and marks every step of it.
func (b *realBench) live(t *testing.T, box mailbox, o crashOrder) {
	t.Helper()
	want := o.of()
	during := ""
	progress := func(p Progress) {
		if p.Total == 0 && !p.Ended {
			box.mark("%s: %s", during, p.Step)
		}
	}
	bring := func(what string) {
		during = what
		b.look(t)
		if _, err := Converge(t.Context(), b.host(), want, progress); err != nil {
			t.Fatal(err)
		}
		box.mark("%s: done", what)
		file := strings.ReplaceAll(what, " ", "-")
		sum := writeFile(t, filepath.Join(want.Mount, file))
		// QEMU's NVMe device takes no notice of FUA, on which XFS's log relies.
		if err := filesystem.Sync("/dev/mapper/" + mappingName(want.Name)); err != nil {
			t.Fatal(err)
		}
		box.ask(crashReport{File: file, Sum: sum})
	}
	defer func() {
		box.mark("shutdown")
		b.reboot(t)
		box.mark("end")
	}()
	if o.Do == "grow" {
		bring("grow")
		return
	}
	bring("first boot")
	during = "rotate"
	if err := Rekey(t.Context(), b.host(), want, NewKey{Sealed: []byte("sealed:two")}, progress); err != nil {
		t.Fatal(err)
	}
	box.mark("rotate: done")
	during = "down"
	if err := Down(t.Context(), b.host(), want.Name, progress); err != nil {
		t.Fatal(err)
	}
	bring("up")
	box.mark("reboot: shutdown")
	b.reboot(t)
	bring("reboot")
}

// writeFile writes a file of random bytes, flushes it, and returns its checksum.
func writeFile(t *testing.T, path string) string {
	t.Helper()
	content := make([]byte, 1+rand.IntN(300<<10))
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(content)
	dir, dirErr := os.Open(filepath.Dir(path))
	if err := errors.Join(err, f.Sync(), f.Close(), dirErr); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

// recover boots once on whatever the disks hold, and says how that ended.
func (b *realBench) recover(t *testing.T, o crashOrder) crashReport {
	t.Helper()
	want := o.of()
	b.look(t)
	defer b.reboot(t)
	state, err := Converge(t.Context(), b.host(), want, nil)
	if s := situation.Of(err); s != nil {
		return crashReport{Word: string(s.Word), Text: s.String()}
	}
	if _, room := state.grown(); err == nil && room {
		err = errors.Join(errors.New("it has not grown"), state.Stuck)
	}
	if err != nil {
		return crashReport{Word: "error", Text: err.Error()}
	}
	held := map[string]string{}
	files, err := os.ReadDir(want.Mount)
	for _, f := range files {
		content, readErr := os.ReadFile(filepath.Join(want.Mount, f.Name()))
		err = errors.Join(err, readErr)
		held[f.Name()] = fmt.Sprintf("%x", sha256.Sum256(content))
	}
	arrays, _ := filepath.Glob("/sys/block/md*")
	if len(o.IDs) > 1 != (len(arrays) == 1) || len(arrays) > 1 {
		err = errors.Join(err, fmt.Errorf("%d devices and the arrays %v", len(o.IDs), arrays))
	}
	if err != nil {
		return crashReport{Word: "error", Text: err.Error()}
	}
	writeFile(t, filepath.Join(want.Mount, "after-"+time.Now().Format("150405.000")))
	return crashReport{Word: "READY", Text: b.up(t), Held: held}
}
