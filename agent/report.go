package agent

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"bootswain/filesystem"
	"bootswain/health"
	"bootswain/internal/situation"
	"bootswain/mysql"
	"bootswain/spec"
)

// board keeps the last report and writes it when it has news, or is old.
type board struct {
	last health.Report
}

// publish writes the report for the listener, the gate and status.
func (b *board) publish(r health.Report) error {
	r.Checks = health.Track(b.last.Checks, r.Checks)
	for i := range r.Checks {
		// By the clock as it is now: where it was set meanwhile, what was looked
		// at a moment ago would seem old.
		c := &r.Checks[i]
		c.Time, c.Since = r.Time.Add(c.Time.Sub(r.Time)), r.Time.Add(c.Since.Sub(r.Time))
	}
	if age := r.Time.Round(0).Sub(b.last.Time.Round(0)); age.Abs() < reportEvery && sameNews(b.last, r) {
		return nil
	}
	b.last = r
	return r.Write(statusFile)
}

// sameNews compares two reports without the times at which things were looked
// at, without measurements, and without what nobody is told of.
func sameNews(a, b health.Report) bool {
	timeless := func(r health.Report) health.Report {
		r.Time, r.Uptime, r.Numbers = time.Time{}, 0, health.Numbers{}
		if r.MySQL != nil {
			m := *r.MySQL
			m.Status = nil
			r.MySQL = &m
		}
		r.Checks = slices.Clone(r.Checks)
		for i := range r.Checks {
			r.Checks[i].Time = time.Time{}
			r.Checks[i].Since = time.Time{}
			r.Checks[i].Value = nil
			if c := &r.Checks[i]; c.Quiet && c.Status == health.Pass {
				c.Sentence = health.Sentence{}
			}
		}
		return r
	}
	return reflect.DeepEqual(timeless(a), timeless(b))
}

// report is all that the daemon knows now.
func (d *daemon) report() health.Report {
	now := time.Now()
	r := health.Report{
		Release: d.version, Time: now, Uptime: health.Uptime(), Boot: d.boot, Instance: d.orders.data.InstanceID,
		Launch: health.Launch{Known: d.knowsDatabase(), Given: d.orders.data.Given},
		Checks: []health.Check{health.CheckOf("launch-data", d.launchSentence(), now)},
	}
	if d.asked && (!d.orders.data.Given || d.orders.spec.Version == 0) && d.orders.trouble == nil {
		r.Checks[0].Status = health.Warn
	}
	if d.unread != nil && time.Since(d.began) > launchGrace {
		r.Checks[0].Status = health.Fail
	}
	if d.asked {
		r.Checks = append(r.Checks, health.CheckOf("users", d.usersSentence(), now))
		if from := d.orders.spec.UsersFrom; from != nil {
			r.Checks = append(r.Checks, loadRoster(usersFile, d.orders, now).check(from, now))
		}
	}
	if d.metadata != nil {
		r.Checks = append(r.Checks, health.CheckOf("imds", d.metadata, now))
	}
	if d.listener.sentence != nil {
		c := health.CheckOf("listener", d.listener.sentence, now)
		c.Quiet = c.Status == health.Pass
		r.Checks = append(r.Checks, c)
	}
	for _, name := range d.order {
		v := d.views[name]
		r.Volumes = append(r.Volumes, v.tree())
		r.Checks = append(r.Checks, v.checks(d.since(name), now)...)
		r.Steps = append(r.Steps, v.steps...)
		if v.mysql != nil {
			r.MySQL = &health.MySQL{
				Server: d.database.server.Name(), Volume: name, Directory: mysql.Directory,
				Upgrade: v.mysql.Upgrade, Isolated: v.mysql.Isolated, Status: d.database.status,
			}
			for _, e := range elsewhere(v.mysql) {
				r.MySQL.Elsewhere = append(r.MySQL.Elsewhere, health.Part{Name: string(e.Part), Volume: e.Volume, Directory: e.Part.Place(mysql.Directory)})
			}
			r.Checks = append(r.Checks, d.databaseCheck(v, now))
			r.Checks = append(r.Checks, d.databaseOf(v).checks(now)...)
		}
	}
	slices.SortStableFunc(r.Steps, func(a, b health.Step) int { return a.Start.Compare(b.Start) })
	return r
}

// knowsDatabase says whether it is known where the database belongs. An
// attached volume may say so where the launch data does not.
func (d *daemon) knowsDatabase() bool {
	return d.asked && (d.discovered || d.orders.trouble != nil || d.orders.spec.MySQL != nil)
}

// since is how long the volume has been asked for.
func (d *daemon) since(name string) time.Duration { return time.Since(d.askedAt[name]) }

// databaseOf is the database as the volume's stanza asks for it.
func (d *daemon) databaseOf(v view) databaseView {
	db := d.database
	db.isolated, db.limits = v.mysql != nil && v.mysql.Isolated, d.limits()
	return db
}

func (d *daemon) databaseCheck(v view, now time.Time) health.Check {
	volume := v.sentence()
	if s := d.apart(v); s != nil && (usable(volume) || volume.Subject == d.database.server.Name()) {
		volume = s
	}
	s := d.databaseOf(v).sentence(volume)
	c := health.CheckOf("mysql", s, now)
	if s.Word == situation.Waiting {
		// It does not answer. That it soon may is no comfort to who asks now.
		c.Status = health.Fail
	}
	return c
}

func (d *daemon) launchSentence() *situation.Situation {
	s := &situation.Situation{Word: situation.Ready, Subject: "launch data"}
	switch {
	case !d.asked && d.unread != nil:
		return d.unread
	case !d.asked:
		s.Word, s.Text, s.Next = situation.Waiting, "being read.", "nothing; goes on by itself"
	case d.orders.trouble != nil:
		return d.orders.trouble
	case !d.discovered:
		s.Word, s.Text, s.Next = situation.Working, "read; looking for volumes that it does not name.", "nothing; goes on by itself"
	case !d.orders.data.Given:
		s.Text = "none given; the EC2 key pair may log in."
	case d.orders.spec.Version == 0:
		s.Text = "given, but not for bootswain; the EC2 key pair may log in."
	default:
		s.Text = count(len(d.orders.spec.Users), "user") + ", " + count(len(d.orders.spec.Volumes), "volume") + "."
	}
	return s
}

func (d *daemon) usersSentence() *situation.Situation {
	if d.users != nil {
		return &situation.Situation{
			Word: situation.Failed, Subject: "users", Text: strings.ReplaceAll(d.users.Error(), "\n", "; ") + ".",
			Next: "correct the entry; the others are in place",
		}
	}
	names := d.people(d.orders).names(d.config.DefaultUser)
	text := "nobody is named; who could log in before still can."
	if len(names) > 0 {
		text = strings.Join(names, ", ") + " can log in."
	}
	return &situation.Situation{Word: situation.Ready, Subject: "users", Text: text}
}

// summary is the line that systemctl status shows.
func (d *daemon) summary() string {
	var parts []string
	if !d.asked {
		return d.launchSentence().Error()
	}
	for _, name := range d.order {
		v := d.views[name]
		if v.working != "" {
			parts = append(parts, name+": "+v.working)
		} else {
			parts = append(parts, v.sentence().Error())
		}
		if v.mysql != nil && d.database.busy() {
			parts = append(parts, d.database.sentence(v.sentence()).Error())
		}
	}
	if len(parts) == 0 {
		return d.launchSentence().Error()
	}
	return strings.Join(parts, "; ")
}

// sentence says how the volume stands.
func (v view) sentence() *situation.Situation {
	switch {
	case v.working != "":
		return &situation.Situation{Word: situation.Working, Subject: v.want.Name, Text: v.working + ".", Next: "nothing; goes on by itself"}
	case v.trouble != nil:
		return v.trouble
	case !v.passed:
		return &situation.Situation{Word: situation.Working, Subject: v.want.Name, Text: "being looked at.", Next: "nothing; goes on by itself"}
	}
	if worn := v.state.Worn(); worn != nil {
		return worn
	}
	text := mounted(v.want)
	for _, note := range v.state.Notes() {
		text += " " + note + "."
	}
	if other := otherType(v.want, v.state); other != "" {
		text += " " + other
	}
	return &situation.Situation{Word: situation.Ready, Subject: v.want.Name, Text: strings.TrimSpace(text + " " + v.note)}
}

// mounted says where a volume is mounted, and what to know of it.
func mounted(want spec.Volume) string {
	text := "mounted on " + want.Mount
	switch want.Encryption.Mode {
	case spec.EncryptionNone:
		text += ", not encrypted, as the launch data asks"
	case spec.EncryptionEphemeral:
		text += ", scratch: lost when it is taken down, and with each boot"
	}
	return text + "."
}

// usable tells whether a volume is up by what is said of it.
func usable(s *situation.Situation) bool {
	return s.Word == situation.Ready || s.Word == situation.Degraded
}

// checks are the volume's, and one for each of its layers.
func (v view) checks(asked time.Duration, now time.Time) []health.Check {
	name, s := v.want.Name, v.sentence()
	whole := health.CheckOf("volume:"+name, s, now)
	if s.Word == situation.Waiting && asked > v.want.OverdueAfter {
		whole.Status = health.Fail
	}
	checks := []health.Check{whole}
	layer := func(kind string, there bool, text string) {
		c := health.Check{Name: kind + ":" + name, Status: health.Pass, Time: now}
		c.Sentence = health.Sentence{Word: situation.Ready, Subject: name, Text: text}
		if !there {
			c.Status, c.Sentence = whole.Status, whole.Sentence
			if usable(s) {
				c.Status = health.Fail
				c.Sentence = health.Sentence{Word: situation.Failed, Subject: name, Text: kind + " is not there.", Next: "journalctl -u bootswain"}
			}
		}
		checks = append(checks, c)
	}
	t := v.tree()
	if max(v.state.Wanted, len(v.want.EBS.IDs)+len(v.want.EBS.Devices)) > 1 {
		layer("md", t.RAID != nil && v.trouble == nil, "array of "+fmt.Sprint(len(t.Devices))+" volumes is whole.")
	}
	if v.want.Encryption.Mode != spec.EncryptionNone {
		layer("luks", t.LUKS != nil && v.trouble == nil, "encrypted; "+v.keys()+".")
	}
	layer("mount", t.Mounted && v.trouble == nil, "mounted on "+v.want.Mount+".")
	return checks
}

// keys says what people must know of the volume's keys. None of it is a failure.
func (v view) keys() string {
	t := v.state.Token
	switch {
	case v.want.Encryption.Mode == spec.EncryptionEphemeral:
		return "a key that only the kernel has"
	case t == nil:
		return "its keys are not known"
	case len(t.Spare) > 0:
		return "a change of its keys was cut off, both keys open it: bootswain key rotate " + v.want.Name
	case t.Recovery != nil:
		return "recovery key sealed to " + t.Recovery.To
	case v.want.Encryption.Recovery == spec.NoRecovery:
		return "no recovery key, as asked"
	case v.want.Encryption.Recovery != "":
		return "no recovery key yet: bootswain key rotate " + v.want.Name + " --recovery"
	}
	return "no recovery key"
}

// tree is the volume from its devices to its mount.
func (v view) tree() health.Volume {
	t := health.Volume{
		Name: v.want.Name, Required: v.want.Required, Mount: v.want.Mount,
		State: health.SentenceOf(v.sentence()), Mounted: v.mounted(), Key: string(v.want.Encryption.Mode), Copy: v.state.Copied(),
	}
	for _, d := range v.state.Devices {
		t.Devices = append(t.Devices, health.Device{Volume: d.VolumeID, Path: d.Path, Size: d.Size})
	}
	for _, id := range v.state.Missing {
		t.Devices = append(t.Devices, health.Device{Volume: id, Missing: true})
	}
	if a := v.state.Array; a != nil {
		t.RAID = &health.RAID{Name: a.Path, Level: "raid0", State: a.State}
	}
	if m := v.state.Mapping; m != nil && !m.Plain() {
		t.LUKS = &health.LUKS{Name: m.Name, Keys: v.keys()}
		if h := v.state.Header; h != nil {
			t.LUKS.UUID = h.UUID
		}
	}
	if f := v.state.Filesystem; f != nil {
		t.FS = &health.Filesystem{Type: f.Type, UUID: f.UUID}
	}
	return t
}

// mounted says whether the volume was mounted where it belongs when it was
// last looked at.
func (v view) mounted() bool {
	return slices.ContainsFunc(v.state.Mounts, func(m filesystem.Mount) bool {
		return m.Point == v.want.Mount && m.Root == "/"
	})
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// bootID is the kernel's name for this boot, from random(4).
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
