package spec

import (
	"time"

	"go.yaml.in/yaml/v3"
)

// UsersFrom is a list of users that is kept outside the launch data, so that it
// can change while the machine runs. Its entries count instead of those of the
// same name in the launch data.
type UsersFrom struct {
	Address     string        // "ssm:/NAME" or "s3://BUCKET/KEY"
	Every       time.Duration // how often it is asked for; default DefaultUsersEvery
	MaxStale    time.Duration // 0: what was read last holds for as long as it is not read again
	LockStale   bool          // after MaxStale nobody may log in but who has BreakGlass
	BreakGlass  string        // authorized_keys line that always works, as the default user; "" is none
	EndSessions bool          // the sessions of who loses access end with it
}

// DefaultUsersEvery is how often a list is asked for where the document says
// nothing, and minUsersEvery the most that AWS and the machine are bothered.
const (
	DefaultUsersEvery = 5 * time.Minute
	minUsersEvery     = 30 * time.Second
)

var usersAddress = lazily(`^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+|ssm:/?[A-Za-z0-9_.-][A-Za-z0-9_./-]*)$`)

// usersFrom reads an address, or a mapping with one and what more is said.
func (r *reader) usersFrom(n *yaml.Node, path string) *UsersFrom {
	u := &UsersFrom{Every: DefaultUsersEvery}
	address := func(n *yaml.Node, path string) {
		var ok bool
		if u.Address, ok = r.text(n, path); ok && !usersAddress.MatchString(u.Address) {
			r.fault(n, path, "ssm:/NAME or s3://BUCKET/KEY", "%s is no address of a list of users", show(u.Address))
		}
	}
	if n.Kind != yaml.MappingNode {
		address(n, path)
		return u
	}
	r.mapping(n, path, fields{
		"address": address,
		"every": func(n *yaml.Node, path string) {
			var ok bool
			if u.Every, ok = r.duration(n, path); ok && u.Every < minUsersEvery {
				r.fault(n, path, minUsersEvery.String(), "%s is too often", show(n.Value))
			}
		},
		"max_stale": func(n *yaml.Node, path string) { u.MaxStale, _ = r.duration(n, path) },
		"when_stale": func(n *yaml.Node, path string) {
			what, ok := r.text(n, path)
			if u.LockStale = what == "lock"; ok && what != "lock" && what != "keep" {
				r.fault(n, path, "keep or lock", "%s is not known", show(what))
			}
		},
		"break_glass": func(n *yaml.Node, path string) { u.BreakGlass = r.sshKey(n, path) },
		"end_sessions": func(n *yaml.Node, path string) {
			u.EndSessions, _ = r.boolean(n, path)
		},
	})
	r.required(n, path, "address", "ssm:/NAME or s3://BUCKET/KEY")
	if when := valueOf(n, "when_stale"); when != nil && u.LockStale {
		r.required(n, path, "max_stale", "as in max_stale: 12h, since when_stale is lock")
		r.required(n, path, "break_glass", "a key that goes on working, since when_stale is lock")
	}
	return u
}
