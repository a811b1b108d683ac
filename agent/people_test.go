package agent

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/spec"
)

const aKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// listing is launch data with ops and dba, and a list that was read before noon.
func listing(from spec.UsersFrom, doc string, age time.Duration) (orders, roster) {
	from.Address, from.Every = "ssm:/users", 5*time.Minute
	o := orders{data: launch.Data{PublicKeys: []string{"pair"}, InstanceID: "i-1"}, spec: &spec.Spec{
		Users: []spec.User{{Name: "gone", Expires: noon}, {Name: "ops"}, {Name: "dba", Sudo: []string{"ALL=ALL"}}}, UsersFrom: &from}}
	r := roster{Address: from.Address, Instance: "i-1", Since: noon.Add(-age), Read: noon.Add(-age), Tried: noon, Document: []byte(doc)}
	if doc == "" {
		r.Read = time.Time{}
	}
	return o, r
}

func TestWhoMay(t *testing.T) {
	const list = "version: 1\nusers: [{name: dba}, {name: eve}, {name: past, expires: 2026-11-22T11:59:00Z}]\n"
	lock := spec.UsersFrom{MaxStale: time.Hour, LockStale: true, BreakGlass: "glass", EndSessions: true}
	for name, c := range map[string]struct {
		from      spec.UsersFrom
		doc       string
		age       time.Duration
		names     string
		pair      string
		keep, end bool
	}{
		"read":          {spec.UsersFrom{}, list, time.Minute, "admin ops dba eve", "pair", false, false},
		"never read":    {spec.UsersFrom{EndSessions: true}, "", time.Minute, "admin ops dba", "pair", true, true},
		"old":           {spec.UsersFrom{MaxStale: time.Hour}, list, 2 * time.Hour, "admin ops dba eve", "pair", false, false},
		"not yet stale": {lock, list, time.Hour, "admin ops dba eve", "pair glass", false, true},
		"stale":         {lock, list, time.Hour + 1, "admin", "glass", false, true},
		"never, stale":  {lock, "", 2 * time.Hour, "admin", "glass", false, true},
	} {
		o, r := listing(c.from, c.doc, c.age)
		p := whoMay(o, r, noon)
		if got := strings.Join(p.names("admin"), " "); got != c.names || strings.Join(p.keyPair, " ") != c.pair || p.keep != c.keep || p.end != c.end {
			t.Errorf("%s: %s, pair %v, keep %v, end %v", name, got, p.keyPair, p.keep, p.end)
		}
		for _, u := range p.users {
			if u.Name == "dba" && len(u.Sudo) > 0 && c.doc != "" {
				t.Errorf("%s: the launch data's entry counts", name)
			}
		}
	}
	o, r := listing(spec.UsersFrom{}, list, time.Minute)
	o.trouble = &situation.Situation{}
	if p := whoMay(o, r, noon); !p.keep {
		t.Error("from launch data with a fault somebody loses access")
	}
	o.spec.UsersFrom, o.trouble = nil, nil
	if p := whoMay(o, roster{}, noon); !slices.Equal(p.names("admin"), []string{"admin", "ops", "dba"}) || p.keep {
		t.Errorf("without a list: %+v", p)
	}
}

func TestRosterSentence(t *testing.T) {
	lock := spec.UsersFrom{MaxStale: time.Hour, LockStale: true, BreakGlass: "glass"}
	const read = "it was read last at 2026-11-22T"
	for name, c := range map[string]struct {
		from    spec.UsersFrom
		age     time.Duration
		trouble string
		status  health.Status
		want    string
	}{
		"fine":       {spec.UsersFrom{}, time.Minute, "", health.Pass, "READY users_from: ssm:/users is read every 5m."},
		"not read":   {spec.UsersFrom{}, 6 * time.Minute, "ssm denied GetParameter", health.Warn, "WAITING users_from: ssm:/users: ssm denied GetParameter; " + read + "11:54:00Z. Nobody's access has changed."},
		"for long":   {spec.UsersFrom{}, 2 * time.Hour, "ssm denied GetParameter", health.Fail, "WAITING users_from: ssm:/users: ssm denied GetParameter; " + read + "10:00:00Z. Nobody's access has changed."},
		"no timer":   {spec.UsersFrom{}, 12 * time.Minute, "", health.Warn, "WAITING users_from: ssm:/users is not asked for; " + read + "11:48:00Z. Nobody's access has changed."},
		"stale":      {lock, 2 * time.Hour, "ssm denied GetParameter", health.Fail, "LOCKED users_from: ssm:/users: ssm denied GetParameter; " + read + "10:00:00Z, and max_stale is over: nobody else may log in."},
		"stale, off": {lock, 2 * time.Hour, "", health.Fail, "LOCKED users_from: ssm:/users: it is not asked for; " + read + "10:00:00Z, and max_stale is over: nobody else may log in."},
	} {
		o, r := listing(c.from, "version: 1\n", c.age)
		r.Trouble = c.trouble
		got := r.check(o.spec.UsersFrom, noon)
		if s := got.Sentence.Situation(); s.Error() != c.want || got.Status != c.status || *got.Value != c.age.Seconds() || (s.Next == "") != (c.status == health.Pass) {
			t.Errorf("%s: %s, %v, %v s\nwant %s", name, got.Status, s, *got.Value, c.want)
		}
	}
}

func TestRosterIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lib", "users.json")
	o, r := listing(spec.UsersFrom{}, "version: 1\n", time.Minute)
	if err := r.save(path); err != nil {
		t.Fatal(err)
	}
	if got := loadRoster(path, o, noon); !got.Read.Equal(r.Read) || string(got.Document) != "version: 1\n" {
		t.Errorf("got %+v", got)
	}
	for name, change := range map[string]func(*orders){
		"another machine": func(o *orders) { o.data.InstanceID = "i-2" },
		"another list":    func(o *orders) { from := *o.spec.UsersFrom; from.Address = "ssm:/more"; o.spec.UsersFrom = &from },
	} {
		o, _ := listing(spec.UsersFrom{}, "", 0)
		change(&o)
		if got := loadRoster(path, o, noon); !got.Read.IsZero() || got.Document != nil || !got.Since.Equal(noon) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestReadKeys(t *testing.T) {
	keys, err := readKeys("-", strings.NewReader("# mine\n"+aKey+" a\n\n"+aKey+" b\n"))
	if err != nil || len(keys) != 2 {
		t.Errorf("%q, %v", keys, err)
	}
	for text, want := range map[string]string{
		"": "- holds no key",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n": "- is a private key; the public one",
		"hello": "a line of - is no SSH public key: no key type",
	} {
		if _, err := readKeys("-", strings.NewReader(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := readKeys(filepath.Join(t.TempDir(), "none"), nil); err == nil || errors.Unwrap(err) == nil {
		t.Errorf("no file: %v", err)
	}
}
