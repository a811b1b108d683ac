package agent

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"bootswain/filesystem"
	"bootswain/health"
	"bootswain/health/vitals"
	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/luks"
	"bootswain/mysql"
	"bootswain/spec"
	"bootswain/systemd"
	"bootswain/volume"
)

func wantData() spec.Volume {
	return spec.Volume{Name: "data", Mount: "/srv/data", Required: true, OverdueAfter: time.Minute, EBS: spec.EBS{IDs: []string{"vol-1", "vol-2"}}}
}

func upView() view {
	return view{want: wantData(), passed: true, state: volume.State{
		Array: &volume.Array{Path: "/dev/md127", State: "clean"}, Mapping: &volume.Mapping{},
		Mounts: []filesystem.Mount{{Point: "/srv/data", Root: "/"}},
	}}
}

func statuses(checks []health.Check) string {
	var all []string
	for _, c := range checks {
		all = append(all, c.Name+"="+string(c.Status))
	}
	return strings.Join(all, " ")
}

// TestWithoutKeys: who reads status, health or the console is told what keeps no
// secret, and what does not last.
func TestWithoutKeys(t *testing.T) {
	plain, scratch := upView(), upView()
	plain.want.Encryption.Mode = spec.EncryptionNone
	scratch.want.Encryption.Mode = spec.EncryptionEphemeral
	if got := plain.sentence().Text; got != "mounted on /srv/data, not encrypted, as the launch data asks." {
		t.Errorf("a plain volume is %q", got)
	}
	if got := scratch.sentence().Text; got != "mounted on /srv/data, scratch: lost when it is taken down, and with each boot." {
		t.Errorf("scratch is %q", got)
	}
	if got, want := statuses(plain.checks(0, time.Now())), "volume:data=pass md:data=pass mount:data=pass"; got != want {
		t.Errorf("a plain volume's checks are %s, want %s", got, want)
	}
	plain.state.Mapping.UUID = "BOOTSWAIN-PLAIN-"
	if got := health.Tree(plain.tree()); !strings.Contains(got, "└─ not encrypted\n") || strings.Contains(got, "luks") {
		t.Errorf("a plain volume looks like\n%s", got)
	}
	if got := health.Tree(scratch.tree()); !strings.Contains(got, "└─ luks  a key that only the kernel has\n") {
		t.Errorf("scratch looks like\n%s", got)
	}
}

// TestPlaces: room is looked for on the machine itself and where a volume is.
func TestPlaces(t *testing.T) {
	frozen, unmounted := upView(), upView()
	frozen.want.Filesystem.Options = []string{"noatime", "ro"}
	unmounted.state.Mounts = nil
	d := &daemon{order: []string{"a", "b", "c"}, views: map[string]view{"a": upView(), "b": frozen, "c": unmounted}}
	want := []vitals.Place{{Path: "/"}, {Path: "/srv/data"}, {Path: "/srv/data", ReadOnly: true}}
	if got := d.places(); !slices.Equal(got, want) {
		t.Errorf("places %+v, want %+v", got, want)
	}
}

func TestVolumeChecks(t *testing.T) {
	waiting := &situation.Situation{Word: situation.Waiting, Subject: "data", Text: "1 of 2 volumes."}
	unmounted := upView()
	unmounted.state.Mounts = nil
	worn := upView()
	worn.state.Token, worn.state.Header = &luks.Token{Intent: luks.Ready}, &luks.Header{Version: 2, Copies: [2]luks.Copy{{}, {Valid: true}}}
	if s := worn.sentence(); s.Word != situation.Degraded || !usable(s) || !strings.Contains(s.Text, "the first copy of its LUKS header") {
		t.Errorf("with one copy of its header: %v", s)
	}
	for name, c := range map[string]struct {
		view  view
		asked time.Duration
		want  string
	}{
		"up":            {upView(), time.Hour, "volume:data=pass md:data=pass luks:data=pass mount:data=pass"},
		"worn":          {worn, 0, "volume:data=warn md:data=pass luks:data=pass mount:data=pass"},
		"not mounted":   {unmounted, time.Hour, "volume:data=pass md:data=pass luks:data=pass mount:data=fail"},
		"first look":    {view{want: wantData()}, 0, "volume:data=warn md:data=warn luks:data=warn mount:data=warn"},
		"waiting":       {view{want: wantData(), passed: true, trouble: waiting}, time.Second, "volume:data=warn md:data=warn luks:data=warn mount:data=warn"},
		"overdue":       {view{want: wantData(), passed: true, trouble: waiting}, time.Hour, "volume:data=fail md:data=fail luks:data=fail mount:data=fail"},
		"refused":       {view{want: wantData(), passed: true, trouble: &situation.Situation{Word: situation.Refused}}, 0, "volume:data=fail md:data=fail luks:data=fail mount:data=fail"},
		"still working": {view{want: wantData(), passed: true, trouble: waiting, working: "open data"}, 0, "volume:data=warn md:data=warn luks:data=warn mount:data=warn"},
	} {
		if got := statuses(c.view.checks(c.asked, time.Now())); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestDatabaseSentence(t *testing.T) {
	ready := &situation.Situation{Word: situation.Ready, Subject: "data", Text: "mounted."}
	missing := &situation.Situation{Word: situation.Waiting, Subject: "data", Text: "1 of 2 volumes.", Next: "nothing"}
	newer := &situation.Situation{Word: situation.Held, Subject: "mariadb", Text: "data written by 11.9.1, this image has 11.8.6; untouched.", Next: "launch the 11.9 image"}
	server := mysql.Server{Unit: "mariadb.service"}
	for name, c := range map[string]struct {
		view   databaseView
		volume *situation.Situation
		want   string
	}{
		"no server":         {databaseView{}, ready, "FAILED mysql: neither MariaDB nor MySQL"},
		"answers":           {databaseView{server: server, version: "11.8"}, ready, "READY mariadb: answers, version 11.8."},
		"volume absent":     {databaseView{server: server}, missing, "HELD mariadb: WAITING data: 1 of 2 volumes."},
		"starting":          {databaseView{server: server, state: systemd.State{Active: "activating"}}, ready, "WAITING mariadb: activating, does not answer yet."},
		"queued":            {databaseView{server: server, state: systemd.State{Active: "inactive", Queued: true}}, ready, "WAITING mariadb: its start waits for other units."},
		"was held":          {databaseView{server: server, state: systemd.State{Active: "failed"}, held: true}, ready, "WAITING mariadb: its volume is ready"},
		"held for its data": {databaseView{server: server, state: systemd.State{Active: "failed"}, held: true, heldBy: newer}, ready, "HELD mariadb: data written by 11.9.1"},
		"not brought there": {databaseView{server: server, held: true}, newer, "HELD mariadb: data written by 11.9.1"},
		"stopped":           {databaseView{server: server, state: systemd.State{Active: "inactive", Result: "success"}}, ready, "FAILED mariadb: inactive (success)."},
	} {
		if got := c.view.sentence(c.volume).Error(); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestReport is the daemon's report in the situations of launch data.
func TestReport(t *testing.T) {
	asked := func(data launch.Data) *daemon {
		return &daemon{Agent: &Agent{config: Config{DefaultUser: "admin"}}, began: time.Now(), asked: true, discovered: true, orders: read(data)}
	}
	unread := &daemon{Agent: &Agent{}, began: time.Now().Add(-time.Hour), unread: unreachable(errors.New("no answer in 5 s"))}
	keys := launch.Data{PublicKeys: []string{"ssh-ed25519 AAAA"}}
	for name, c := range map[string]struct {
		daemon *daemon
		want   string
		says   string
	}{
		"unread":     {unread, "launch-data=fail", "could not be read: no answer in 5 s."},
		"none given": {asked(keys), "launch-data=warn users=pass", "none given; the EC2 key pair may log in."},
		"sound":      {asked(launch.Data{Given: true, UserData: []byte(soundUser)}), "launch-data=pass users=pass", "1 user, 0 volumes."},
		"faulty":     {asked(launch.Data{Given: true, UserData: []byte(soundUser + "volums: {}\n")}), "launch-data=fail users=pass", "volums unknown"},
	} {
		r := c.daemon.report()
		if got := statuses(r.Checks); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if got := r.Checks[0].Sentence.Text; !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
	}
}

func TestSettled(t *testing.T) {
	k := map[string]*keeper{"data": nil}
	waiting := view{want: wantData(), passed: true, trouble: &situation.Situation{Word: situation.Waiting}}
	for name, c := range map[string]struct {
		daemon *daemon
		since  time.Duration
		want   bool
	}{
		"launch data late":         {&daemon{}, launchGrace / 2, false},
		"launch data very late":    {&daemon{}, 2 * launchGrace, true},
		"devices not asked yet":    {&daemon{asked: true, orders: read(launch.Data{})}, time.Minute, false},
		"faulty launch data":       {&daemon{asked: true, orders: read(launch.Data{Given: true, UserData: []byte("#bootswain\n{")})}, 0, true},
		"no volumes":               {&daemon{asked: true, discovered: true, orders: read(launch.Data{})}, 0, true},
		"first look":               {&daemon{asked: true, discovered: true, orders: read(launch.Data{}), keepers: k, views: map[string]view{"data": {mysql: &spec.MySQL{}}}}, time.Minute, false},
		"work going on":            {&daemon{asked: true, discovered: true, orders: read(launch.Data{}), keepers: k, views: map[string]view{"data": {mysql: &spec.MySQL{}, passed: true, working: "open"}}}, time.Minute, false},
		"work on another's volume": {&daemon{asked: true, discovered: true, orders: read(launch.Data{}), keepers: k, views: map[string]view{"data": {working: "look"}}}, time.Minute, true},
		"work going on for long":   {&daemon{asked: true, discovered: true, orders: read(launch.Data{}), keepers: k, views: map[string]view{"data": {mysql: &spec.MySQL{}, passed: true, working: "open"}}}, 2 * bootLimit, true},
		"a device may still come":  {&daemon{asked: true, discovered: true, orders: read(launch.Data{}), keepers: k, views: map[string]view{"data": waiting}}, deviceGrace / 2, false},
		"a device does not come":   {&daemon{asked: true, discovered: true, orders: read(launch.Data{}), keepers: k, views: map[string]view{"data": waiting}}, 2 * deviceGrace, true},
		"everything as asked":      {&daemon{asked: true, discovered: true, orders: read(launch.Data{}), keepers: k, views: map[string]view{"data": upView()}}, 0, true},
		"refused is not waited on": {&daemon{asked: true, discovered: true, orders: read(launch.Data{}), keepers: k, views: map[string]view{"data": {passed: true, trouble: &situation.Situation{Word: situation.Refused}}}}, 0, true},
	} {
		if got := c.daemon.settled(c.since); got != c.want {
			t.Errorf("%s: settled is %v, want %v", name, got, c.want)
		}
	}
}

// TestKnowsDatabase is what the gate goes by: a database must not start on the
// root disk while an attached volume may hold it.
func TestKnowsDatabase(t *testing.T) {
	asksForIt := read(launch.Data{Given: true, UserData: []byte(soundUser + "volumes:\n  data:\n    ebs: {ids: [vol-0123456789abcdef0]}\n    mount: /srv/data\nmysql: {volume: data}\n")})
	for name, c := range map[string]struct {
		daemon *daemon
		want   bool
	}{
		"launch data not read":              {&daemon{}, false},
		"no stanza, devices not asked yet":  {&daemon{asked: true, orders: read(launch.Data{})}, false},
		"no stanza, devices asked":          {&daemon{asked: true, discovered: true, orders: read(launch.Data{})}, true},
		"a stanza, devices not asked yet":   {&daemon{asked: true, orders: asksForIt}, true},
		"faulty launch data: held for that": {&daemon{asked: true, orders: read(launch.Data{Given: true, UserData: []byte("#bootswain\n{")})}, true},
	} {
		if got := c.daemon.knowsDatabase(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
