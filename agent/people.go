package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bootswain/health"
	"bootswain/internal/atomicfile"
	"bootswain/internal/situation"
	"bootswain/spec"
)

// usersFile keeps the list of users that was read last. It outlives a boot: a
// machine that boots while AWS does not answer lets in whom it let in before.
const usersFile = "/var/lib/bootswain/users.json"

// roster is what is known of the list of users that the launch data points to.
type roster struct {
	Address  string    `json:"address"`
	Instance string    `json:"instance"`       // that read it: an image may be made of a machine that ran
	Since    time.Time `json:"since"`          // when it was asked for first
	Read     time.Time `json:"read,omitzero"`  // when it was read last; zero: never
	Tried    time.Time `json:"tried,omitzero"` // when it was asked for last
	Trouble  string    `json:"trouble,omitempty"`
	Next     string    `json:"next,omitempty"`
	Document []byte    `json:"document,omitempty"`

	Unapplied string `json:"unapplied,omitempty"` // what went wrong with the users themselves
}

// loadRoster returns what is known of the list that o points to. A file that is
// not to be understood, or is about another list, counts as none.
func loadRoster(path string, o orders, now time.Time) roster {
	var r roster
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil || r.Address != o.spec.UsersFrom.Address || r.Instance != o.data.InstanceID {
		return roster{Address: o.spec.UsersFrom.Address, Instance: o.data.InstanceID, Since: now}
	}
	return r
}

func (r roster) save(path string) error {
	text, err := json.Marshal(r)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the list of users: %w", err)
	}
	return atomicfile.Write(path, append(text, '\n'), 0o600)
}

// age is for how long the list has not been read.
func (r roster) age(now time.Time) time.Duration {
	if r.Read.IsZero() {
		return now.Sub(r.Since)
	}
	return now.Sub(r.Read)
}

// locked tells whether the list is so old that nobody may log in but by breaking
// the glass.
func (r roster) locked(from *spec.UsersFrom, now time.Time) bool {
	return from.LockStale && r.age(now) > from.MaxStale
}

// people are whom the machine lets in.
type people struct {
	users   []spec.User
	keyPair []string // keys of the default user beside those in users
	keep    bool     // there may be others, so nobody loses access
	end     bool     // the sessions of who loses access end
}

// whoMay says whom orders and list let in. The list's entries count instead of
// the launch data's of the same name. Whose entry has expired counts as somebody
// who is not named at all, so that sessions end with it too.
func whoMay(o orders, r roster, now time.Time) people {
	p := people{users: current(o.spec.Users, now), keyPair: o.data.PublicKeys, keep: o.trouble != nil}
	from := o.spec.UsersFrom
	if from == nil {
		return p
	}
	p.end = from.EndSessions
	if r.locked(from, now) {
		p.users, p.keyPair, p.keep = nil, nil, false
	}
	if from.BreakGlass != "" {
		p.keyPair = append(slices.Clone(p.keyPair), from.BreakGlass)
	}
	if r.locked(from, now) {
		return p
	}
	listed, err := spec.ParseUsers(r.Document)
	if r.Read.IsZero() || err != nil {
		p.keep = true
		return p
	}
	p.users = slices.DeleteFunc(p.users, func(u spec.User) bool {
		return slices.ContainsFunc(listed, func(l spec.User) bool { return l.Name == u.Name })
	})
	p.users = append(p.users, current(listed, now)...)
	return p
}

// current returns the users without those who have expired.
func current(users []spec.User, now time.Time) []spec.User {
	return slices.DeleteFunc(slices.Clone(users), func(u spec.User) bool { return !u.Expires.IsZero() && !u.Expires.After(now) })
}

// names are those who may log in, the default user first if a key of nobody
// else's lets in as them.
func (p people) names(defaultUser string) (names []string) {
	if len(p.keyPair) > 0 {
		names = append(names, defaultUser)
	}
	for _, u := range p.users {
		if !slices.Contains(names, u.Name) {
			names = append(names, u.Name)
		}
	}
	return names
}

const (
	// The timer's own delay, and what a request may take.
	rosterSlack = time.Minute
	// An hour without an answer is no passing trouble any more.
	rosterOverdue = time.Hour
)

// sentence says how old the list is, and what of it.
func (r roster) sentence(from *spec.UsersFrom, now time.Time) *situation.Situation {
	s := &situation.Situation{Word: situation.Ready, Subject: "users_from", Text: r.Address + " is read every " + short(from.Every) + "."}
	last := "it was never read"
	if !r.Read.IsZero() {
		last = "it was read last at " + r.Read.UTC().Format(time.RFC3339)
	}
	switch {
	case r.locked(from, now):
		s.Word, s.Next = situation.Locked, "the break-glass key still works; "+r.next()
		s.Text = fmt.Sprintf("%s: %s; %s, and max_stale is over: nobody else may log in.", r.Address, r.why(), last)
	case r.Unapplied != "":
		s.Word, s.Next = situation.Failed, "journalctl -u bootswain-users"
		s.Text = strings.ReplaceAll(r.Unapplied, "\n", "; ") + "."
	case r.Trouble != "":
		s.Word, s.Next = situation.Waiting, r.next()
		s.Text = fmt.Sprintf("%s: %s; %s. Nobody's access has changed.", r.Address, r.why(), last)
	case r.age(now) > 2*from.Every+rosterSlack:
		s.Word, s.Next = situation.Waiting, "systemctl status bootswain-users.timer"
		s.Text = fmt.Sprintf("%s is not asked for; %s. Nobody's access has changed.", r.Address, last)
	}
	return s
}

func (r roster) why() string {
	if r.Trouble == "" {
		return "it is not asked for"
	}
	return strings.TrimSuffix(r.Trouble, ".")
}

func (r roster) next() string {
	if r.Next == "" || r.Next == "nothing" {
		return "nothing; it is asked again by itself"
	}
	return r.Next + "; it is asked again by itself"
}

// check is the sentence as monitors see it, with the list's age in seconds.
func (r roster) check(from *spec.UsersFrom, now time.Time) health.Check {
	c := health.CheckOf("users-from", r.sentence(from, now), now)
	age := r.age(now).Truncate(time.Second).Seconds()
	c.Value, c.Unit = &age, "s"
	if c.Status == health.Warn && r.age(now) > rosterOverdue {
		c.Status = health.Fail
	}
	return c
}

// short is a duration as people write it: without zeros that say nothing.
func short(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}
