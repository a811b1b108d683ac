package demo

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"filippo.io/age"

	"bootswain/spec"
)

func TestDocument(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti lab"
	sealed := seal(t)
	doc := document(key, []string{"vol-0a11a11a11a11a11a", "vol-0b22b22b22b22b22b"}, "encryption:\n  sealed: "+sealed+"\n")
	s, err := spec.Parse([]byte(doc))
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	if len(s.Users) != 1 || s.Users[0].Name != user || s.Users[0].SSHAuthorizedKeys[0] != key {
		t.Errorf("users: %+v", s.Users)
	}
	if len(s.Volumes) != 1 || len(s.Volumes[0].EBS.IDs) != 2 || s.Volumes[0].Mount != mountPoint || len(s.Volumes[0].Encryption.Sealed) == 0 {
		t.Errorf("volumes: %+v", s.Volumes)
	}
	if s.MySQL == nil || s.MySQL.Volume != volumeName || s.Health.Listen != "0.0.0.0:8273" {
		t.Errorf("mysql %+v, health %+v", s.MySQL, s.Health)
	}
	short := shorten(doc)
	if strings.Contains(short, sealed) || !strings.Contains(short, "sealed: "+sealed[:24]+"…") {
		t.Errorf("the sealed key is not shortened:\n%s", short)
	}
	if !strings.Contains(short, "vol-0a11a11a11a11a11a\n") {
		t.Errorf("a volume id is shortened:\n%s", short)
	}
}

// seal is what "bootswain seal" prints of a key, but for the stanza around it.
func seal(t *testing.T) string {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, identity.Recipient())
	if err == nil {
		_, err = w.Write(make([]byte, 64))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

// allPass is a health answer; REPLACE parts of it to make others.
const allPass = `{"status": "pass", "checks": {"daemon": [{"status": "pass"}], "launch-data": [{"status": "pass"}],
 "users": [{"status": "pass"}], "volume:data": [{"status": "pass"}], "mount:data": [{"status": "pass"}],
 "luks:data": [{"status": "pass"}], "md:data": [{"status": "pass"}], "mysql": [{"status": "pass"}]}}`

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name     string
		code     int
		old, new string // what is replaced in allPass
		err      string // "": all is well
	}{
		{"all pass", 200, "", "", ""},
		{"a check fails", 503, `"mysql": [{"status": "pass"}]`, `"mysql": [{"status": "fail", "output": "HELD mariadb: no volume"}]`,
			"expected mysql to pass; saw fail: HELD mariadb: no volume"},
		{"a check that nobody asked for warns", 200, `"daemon": [{"status": "pass"}]`, `"daemon": [{"status": "warn", "output": "slow"}]`,
			"expected daemon to pass; saw warn: slow"},
		{"a check is missing", 200, `"md:data": [{"status": "pass"}], `, "", "expected a check md:data; saw only launch-data, users, volume:data"},
		{"the code is another", 503, "", "", "expected 200 pass; saw 503 pass"},
		{"the status is another", 200, `{"status": "pass", "checks"`, `{"status": "warn", "checks"`, "expected 200 pass; saw 200 warn"},
		{"nothing is checked", 200, allPass, `{"status": "pass"}`, "expected a check launch-data; saw only"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := parseAnswer(tt.code, []byte(strings.Replace(allPass, tt.old, tt.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			err = a.judge()
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("judge: %v, want %q", err, tt.err)
			}
		})
	}
	if _, err := parseAnswer(502, []byte("<html>")); err == nil || !strings.Contains(err.Error(), `expected a JSON answer; saw 502 "<html>"`) {
		t.Errorf("parseAnswer: %v", err)
	}
}

func TestRows(t *testing.T) {
	want := expectedRows()
	if got, err := parseRows("1000\t2147000000000"); err != nil || got != (rows{1000, 2147000000000}) || got == want {
		t.Errorf("parseRows: %v, %v", got, err)
	}
	for _, line := range []string{"", "1000", "1000\tNULL", "ERROR 1146"} {
		if _, err := parseRows(line); err == nil || !strings.Contains(err.Error(), "expected a count and a checksum") {
			t.Errorf("parseRows(%q): %v", line, err)
		}
	}
	sql := insertRows()
	if n := strings.Count(sql, "'order "); n != want.count {
		t.Errorf("%d rows are written, %d expected", n, want.count)
	}
}

func TestWithoutBars(t *testing.T) {
	const bars = "data: create array     0.91s ██\ndata: format           4.35s   ██████\n"
	if got, want := withoutBars(bars), "data: create array     0.91s\ndata: format           4.35s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Where there is no terminal a screen is plain lines.
func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := NewScreen(&out)
	s.Title("Storage")
	wrong := errors.New("no")
	err := s.Wait("the end", func(tell func(string)) error {
		tell("nearly")
		_, err := s.Write([]byte("one\ntw"))
		if err == nil {
			_, err = s.Write([]byte("o\n"))
		}
		return errors.Join(err, wrong)
	})
	if !errors.Is(err, wrong) {
		t.Errorf("Wait: %v", err)
	}
	s.Pass("%d rows", 3)
	if want := "\n[0:00] Storage\n  one\n  two\n  ok  3 rows\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
