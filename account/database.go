package account

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// User ids of people, as Debian, Ubuntu and Amazon Linux give them out.
const (
	firstUID  = 1000
	nobodyUID = 65534
)

// user is a line of passwd(5), with the expiry of shadow(5).
type user struct {
	uid, gid int
	gecos    string
	shell    string
	expires  string // days since 1970-01-01; "" never
}

// group is a line of group(5).
type group struct {
	gid     int
	members []string
}

// database is what the machine knows about its own accounts. Those that a
// directory service adds are none of ours.
type database struct {
	users  map[string]user
	groups map[string]group
}

func readDatabase(h Host) (database, error) {
	db := database{users: make(map[string]user), groups: make(map[string]group)}
	err := readLines(h.path("etc/passwd"), 7, func(f []string) {
		uid, errU := strconv.Atoi(f[2])
		gid, errG := strconv.Atoi(f[3])
		if errU == nil && errG == nil {
			db.users[f[0]] = user{uid: uid, gid: gid, gecos: f[4], shell: f[6]}
		}
	})
	if err != nil {
		return db, err
	}
	err = readLines(h.path("etc/shadow"), 9, func(f []string) {
		if u, ok := db.users[f[0]]; ok {
			u.expires = f[7]
			db.users[f[0]] = u
		}
	})
	if err != nil {
		return db, err
	}
	return db, readLines(h.path("etc/group"), 4, func(f []string) {
		if gid, err := strconv.Atoi(f[2]); err == nil {
			members := strings.FieldsFunc(f[3], func(r rune) bool { return r == ',' })
			db.groups[f[0]] = group{gid: gid, members: members}
		}
	})
}

// readLines calls each for every line of path that has this many fields.
func readLines(path string, fields int, each func([]string)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read the accounts: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(strings.TrimRight(line, "\n"), ":"); len(f) == fields {
			each(f)
		}
	}
	return nil
}

// firstClosedDay is the first whole day, in UTC, on which an account that
// expires at t is closed. Accounts know days only; the keys know the second.
func firstClosedDay(t time.Time) time.Time {
	day := t.UTC().Truncate(24 * time.Hour)
	if day.Before(t) {
		day = day.AddDate(0, 0, 1)
	}
	return day
}

// shadowDay is a day as shadow(5) has it.
func shadowDay(t time.Time) string { return strconv.FormatInt(t.Unix()/(24*60*60), 10) }
