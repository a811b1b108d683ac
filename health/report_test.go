package health

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"bootswain/internal/situation"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// sample is the report of a machine on which one thing waits.
func sample() Report {
	ready := &situation.Situation{Word: situation.Ready, Subject: "data", Text: "mounted on /srv/data"}
	waiting := &situation.Situation{Word: situation.Waiting, Subject: "logs", Text: "1 of 2 volumes; vol-0a44 missing 7m", Next: "nothing; continues by itself"}
	used := 42.5
	full := CheckOf("mount:data", ready, noon)
	full.Value, full.Unit = &used, "percent"
	return Report{
		Release: "0.1.0", Time: noon, Boot: "b0", Instance: "i-0abc", Launch: Launch{Known: true, Given: true},
		MySQL:  &MySQL{Server: "mariadb", Volume: "data", Directory: "/var/lib/mysql"},
		Checks: []Check{CheckOf("volume:data", ready, noon), full, CheckOf("volume:logs", waiting, noon)},
		Steps:  []Step{{"launch data", noon.Add(-10 * time.Second), time.Second}, {"data: luksFormat", noon.Add(-9 * time.Second), 8 * time.Second}},
		Volumes: []Volume{{
			Name: "data", State: SentenceOf(ready), Required: true, Mount: "/srv/data", Mounted: true,
			Devices: []Device{{Volume: "vol-0a11", Path: "/dev/nvme1n1", Size: 4 << 30}, {Volume: "vol-0a22", Path: "/dev/nvme2n1", Size: 4 << 30}},
			RAID:    &RAID{Name: "/dev/md127", Level: "raid0", State: "clean"},
			LUKS:    &LUKS{Name: "bootswain-data", Cipher: "aes-xts-plain64"}, FS: &Filesystem{Type: "xfs"},
		}, {
			Name: "logs", State: SentenceOf(waiting), Mount: "/srv/logs",
			Devices: []Device{{Volume: "vol-0a33", Path: "/dev/nvme3n1", Size: 1536 << 20}, {Volume: "vol-0a44", Missing: true}},
		}},
	}
}

// stored writes a report; the machine's uptime is counted from then on.
func stored(t *testing.T, r Report) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "status.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want %q", err, want)
	}
}

func TestReportThereAndBack(t *testing.T) {
	want := sample()
	path := stored(t, want)
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	want.Format = formatVersion
	want.Numbers = Numbers{}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("read  %+v\nwrote %+v", *got, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("mode %v, %v: the listener could not read it", info.Mode(), err)
	}
}

func TestReadFails(t *testing.T) {
	dir := t.TempDir()
	_, err := Read(filepath.Join(dir, "none"))
	if wantError(t, err, "cannot read the report"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is no missing file", err)
	}
	for content, want := range map[string]string{
		"":                             "unexpected end of JSON input",
		"{":                            "unexpected end of JSON input",
		`{"format":2}`:                 "format 2, expected 1",
		`{}`:                           "format 0, expected 1",
		`{"format":1,"checks":"many"}`: "cannot unmarshal string",
	} {
		path := filepath.Join(dir, "bad")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		wantError(t, err, want)
	}
}

func TestLatest(t *testing.T) {
	fresh := stored(t, sample())
	for _, tt := range []struct {
		name   string
		path   string
		after  time.Duration // how much later than the report it is
		report bool
		status Status
		want   string
	}{
		{"fresh", fresh, time.Second, true, Pass, "READY daemon: reports"},
		{"just fresh", fresh, MaxAge, true, Pass, "READY daemon: reports"},
		{"old", fresh, 125 * time.Second, true, Fail, "FAILED daemon: no news for 2m5s"},
		{"of another boot", fresh, -time.Hour, true, Fail, "FAILED daemon: no news for 1h0m0s"},
		{"none", filepath.Join(t.TempDir(), "none"), 0, false, Fail, "FAILED daemon: no news since the machine started"},
		{"a folder", t.TempDir(), 0, false, Fail, "is a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, c := Latest(tt.path, tt.after)
			if (r != nil) != tt.report || c.Name != "daemon" || c.Status != tt.status {
				t.Errorf("report %v, check %+v", r != nil, c)
			}
			s := c.Sentence.Situation()
			if !strings.Contains(s.Error(), tt.want) {
				t.Errorf("sentence %q, want %q", s.Error(), tt.want)
			}
			if tt.status == Fail && s.Next != "journalctl -b -u bootswain" {
				t.Errorf("next is %q", s.Next)
			}
		})
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"format":1,"time":"2026-11-22T12:00:00Z","checks":[{"name":"x","status":"odd"}],"volumes":[{"devices":null}],"steps":[{"duration_ns":-5}]}`))
	f.Add([]byte(`{"format":1,"steps":[{"name":"a","start":"0001-01-01T00:00:00Z","duration_ns":9223372036854775807},{"start":"9999-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"format":1e3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decode(data)
		if err != nil {
			return
		}
		// Whatever was read can be judged and shown.
		Worst(r.Checks)
		document(*r, r.Checks)
		page(*r, r.Checks)
		exposition(families(*r, r.Checks), true)
		if err := Text(&bytes.Buffer{}, *r, Check{}, View{Steps: true, Colour: true}); err != nil {
			t.Error(err)
		}
	})
}
