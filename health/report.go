// Package health is how the machine is, in words and numbers: the report that
// the daemon writes, and the answers that people and monitors get from it.
//
// The daemon is the only writer. The listener, "bootswain status" and the
// database's gate read the file and nothing else, so they need no privilege.
// A report never holds a secret; everyone on the machine may read it. A report
// that is too old is not believed. Sizes are bytes.
package health

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"bootswain/internal/atomicfile"
	"bootswain/internal/situation"
)

const (
	// Path is where the report lies.
	Path = "/run/bootswain/status.json"
	// MaxAge is how old a report may be. The daemon writes three times as often.
	MaxAge = 30 * time.Second
	// formatVersion is the version of the report's format.
	formatVersion = 1
	// maxReport bounds what is read; a report of a hundred volumes is far below.
	maxReport = 4 << 20
	// maxListed bounds what room is made for before it is read.
	maxListed = 1000
)

// Report is the whole state of the machine at one time.
type Report struct {
	Format   int           `json:"format"`             // 1
	Release  string        `json:"release"`            // of bootswain
	Time     time.Time     `json:"time"`               // when it was written
	Uptime   time.Duration `json:"uptime_ns"`          // of the machine at that time; see Uptime
	Boot     string        `json:"boot"`               // the kernel's boot id
	Instance string        `json:"instance,omitempty"` // the cloud's id of the machine
	Launch   Launch        `json:"launch"`
	MySQL    *MySQL        `json:"mysql,omitempty"` // nil: nobody asked for a database
	Checks   []Check       `json:"checks"`
	Steps    []Step        `json:"steps,omitempty"` // in the order in which they began
	Volumes  []Volume      `json:"volumes,omitempty"`
	// Numbers are in a file of their own: they are most of what there is, and few
	// who read the report want them.
	Numbers Numbers `json:"-"`
}

// Numbers are measurements, for Prometheus and for the status page.
type Numbers struct {
	Uptime  time.Duration `json:"uptime_ns"`         // as the report's
	Metrics []Family      `json:"metrics,omitempty"` // beside those that the report itself comes to
	Series  []Series      `json:"series,omitempty"`
}

// Series is a measurement over the last hours, for the status page.
type Series struct {
	Name     string        `json:"name"`  // "latency:data"
	Title    string        `json:"title"` // "vol-0a22 of data: write latency"
	Unit     string        `json:"unit"`  // "seconds"
	Start    time.Time     `json:"start"`
	Step     time.Duration `json:"step_ns"`
	Values   []float64     `json:"values"`             // one a step; negative: not measured
	Baseline []float64     `json:"baseline,omitempty"` // what was expected, beside each of Values
}

// Launch is what is known of the launch data.
type Launch struct {
	Known bool `json:"known"` // it was read, or is known not to exist
	Given bool `json:"given"` // it exists
}

// MySQL is where the database belongs.
type MySQL struct {
	Server    string `json:"server"` // "mariadb"; "" if none is installed
	Volume    string `json:"volume"`
	Directory string `json:"directory"`         // where the server expects it
	Upgrade   bool   `json:"upgrade,omitempty"` // the data may be made those of a later series
	Isolated  bool   `json:"isolated,omitempty"`
	Elsewhere []Part `json:"elsewhere,omitempty"` // what of its files is on other volumes
	Status    *DB    `json:"status,omitempty"`    // nil: it does not say
}

// Part is what of the server's files is on another volume.
type Part struct {
	Name      string `json:"name"` // "redo_log"
	Volume    string `json:"volume"`
	Directory string `json:"directory"` // where the server finds it
}

// on is what of the database is on a volume, and where the server finds it.
func (m *MySQL) on(volume string) (found [][2]string) {
	if m == nil {
		return nil
	}
	of := " of " + or(m.Server, "mysql")
	if m.Volume == volume {
		found = append(found, [2]string{"databases" + of, m.Directory})
	}
	for _, p := range m.Elsewhere {
		if p.Volume == volume {
			found = append(found, [2]string{p.Name + of, p.Directory})
		}
	}
	return found
}

// Step is one thing that was done, and how long it took.
type Step struct {
	Name     string        `json:"name"`
	Start    time.Time     `json:"start"`
	Duration time.Duration `json:"duration_ns"`
}

// Volume is one volume from its devices to its mount. What is not known or not
// there is empty.
type Volume struct {
	Name     string      `json:"name"`
	State    Sentence    `json:"state"`
	Required bool        `json:"required"`
	Devices  []Device    `json:"devices"`
	RAID     *RAID       `json:"raid,omitempty"`
	LUKS     *LUKS       `json:"luks,omitempty"`
	Key      string      `json:"key,omitempty"` // "none": not encrypted; "ephemeral": made anew with each boot; "": kept
	FS       *Filesystem `json:"filesystem,omitempty"`
	Mount    string      `json:"mount,omitempty"` // where it is asked for
	Mounted  bool        `json:"mounted"`
	Copy     bool        `json:"copy,omitempty"` // made on other EBS volumes than it is on: restored
}

// Device is one block device of a volume.
type Device struct {
	Volume  string `json:"volume"`         // "vol-0a1b…", or the name that was asked for
	Path    string `json:"path,omitempty"` // "/dev/nvme1n1"
	Size    int64  `json:"size,omitempty"`
	Missing bool   `json:"missing,omitempty"`
}

// RAID is the array over the devices.
type RAID struct {
	Name  string `json:"name"`  // "/dev/md127"
	Level string `json:"level"` // "raid0"
	State string `json:"state"` // the kernel's array_state
	UUID  string `json:"uuid,omitempty"`
}

// LUKS is the encryption over the array or the device.
type LUKS struct {
	Name   string `json:"name"` // of the mapping, "bootswain-data"
	Cipher string `json:"cipher,omitempty"`
	UUID   string `json:"uuid,omitempty"`
	Keys   string `json:"keys,omitempty"` // what there is to say of its keys: "no recovery key"
}

// Filesystem is what is mounted.
type Filesystem struct {
	Type string `json:"type"`
	UUID string `json:"uuid,omitempty"`
}

// Sentence is a situation as a report keeps it.
type Sentence struct {
	Word    situation.Word `json:"word"`
	Subject string         `json:"subject"`
	Text    string         `json:"text"`
	Next    string         `json:"next,omitempty"`
}

// SentenceOf returns a situation's sentence.
func SentenceOf(s *situation.Situation) Sentence {
	return Sentence{Word: s.Word, Subject: s.Subject, Text: s.Text, Next: s.Next}
}

// Situation returns the sentence as a situation.
func (s Sentence) Situation() *situation.Situation {
	return &situation.Situation{Word: s.Word, Subject: s.Subject, Text: s.Text, Next: s.Next}
}

// Write stores the report at path, and its numbers beside it, readable by
// everyone. The format's version is filled in; Time and Uptime are the caller's.
func (r Report) Write(path string) error {
	r.Format, r.Numbers.Uptime = formatVersion, r.Uptime
	if err := write(numbersPath(path), r.Numbers); err != nil {
		return err
	}
	return write(path, r)
}

func write(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return atomicfile.Write(path, append(data, '\n'), 0o644)
}

// numbersPath is where the numbers of the report at path lie.
func numbersPath(path string) string { return filepath.Join(filepath.Dir(path), "numbers.json") }

// readNumbers returns the numbers of the report at path, or none where there are
// none that can be believed at this uptime.
func readNumbers(path string, uptime time.Duration) Numbers {
	data, err := readBounded(numbersPath(path))
	var n Numbers
	if err != nil || json.Unmarshal(data, &n) != nil || (uptime-n.Uptime).Abs() > MaxAge {
		return Numbers{}
	}
	return n
}

// readBounded returns the content of a file that is only ever replaced as a
// whole.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, min(info.Size(), maxReport))
	_, err = io.ReadFull(f, data)
	return data, err
}

// Read reads the report at path. There may be none yet: fs.ErrNotExist is in
// the error's chain. The age is not looked at; see Latest.
func Read(path string) (*Report, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the report: %w", err)
	}
	r, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return r, nil
}

func decode(data []byte) (*Report, error) {
	// Most of a report is these two lists. One that grew as it is read would be
	// copied again and again.
	r := Report{
		Checks: make([]Check, 0, min(maxListed, bytes.Count(data, []byte(`"sentence":`)))),
		Steps:  make([]Step, 0, min(maxListed, bytes.Count(data, []byte(`"duration_ns":`)))),
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, err
	}
	if r.Format != formatVersion {
		return nil, fmt.Errorf("format %d, expected %d", r.Format, formatVersion)
	}
	return &r, nil
}

// Uptime is how long the machine has been up: the time by which it is told how old
// a report is, because nobody sets it.
func Uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // every kernel has that clock
	}
	return time.Duration(t.Nano())
}

// Latest reads the report at path, with its checks as they are to be believed at
// this uptime, and says with the check "daemon" whether it can be believed at
// all. The report is nil if there is none to read; the check is always there.
func Latest(path string, uptime time.Duration) (*Report, Check) {
	fail := func(at time.Time, text string) Check {
		return Check{Name: "daemon", Status: Fail, Time: at, Sentence: Sentence{
			Word: situation.Failed, Subject: "daemon", Text: text, Next: "journalctl -b -u bootswain"}}
	}
	r, err := Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fail(time.Now(), "no news since the machine started")
	case err != nil:
		return nil, fail(time.Now(), err.Error())
	}
	age := uptime - r.Uptime
	now := r.Time.Add(age)
	for i := range r.Checks {
		r.Checks[i] = r.Checks[i].aged(now)
	}
	if age.Abs() > MaxAge {
		return r, fail(now, "no news for "+age.Abs().Round(time.Second).String())
	}
	if len(r.Checks) == 0 {
		return r, CheckOf("daemon", &situation.Situation{
			Word: situation.Working, Subject: "daemon", Text: "has looked at nothing yet", Next: "nothing; continues by itself"}, r.Time)
	}
	return r, Check{Name: "daemon", Status: Pass, Time: r.Time, Sentence: Sentence{
		Word: situation.Ready, Subject: "daemon", Text: "reports"}}
}
