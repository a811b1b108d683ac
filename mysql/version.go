package mysql

import (
	"fmt"
	"strings"
)

// Flavour is one of the two families of servers. Neither opens the other's
// data.
type Flavour string

// The flavours. Percona Server is MySQL.
const (
	MariaDB Flavour = "MariaDB"
	MySQL   Flavour = "MySQL"
)

// Version is a server's; the zero Version is not known.
type Version struct{ Major, Minor, Patch int }

// String returns "11.8.6".
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// Series returns "11.8": within it only faults are mended.
func (v Version) Series() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

func (v Version) before(w Version) bool {
	if v.Major != w.Major {
		return v.Major < w.Major
	}
	if v.Minor != w.Minor {
		return v.Minor < w.Minor
	}
	return v.Patch < w.Patch
}

func (v Version) later(w Version) Version {
	if v.before(w) {
		return w
	}
	return v
}

// sameSeries says whether data of the one need no upgrade for the other.
func (v Version) sameSeries(w Version) bool { return v.Major == w.Major && v.Minor == w.Minor }

// parseVersion reads "11.8.6-MariaDB", "9.7.4-2" and the like.
func parseVersion(s string) (Version, bool) {
	var v Version
	n, _ := fmt.Sscanf(s, "%d.%d.%d", &v.Major, &v.Minor, &v.Patch)
	return v, n == 3 && v.plausible()
}

// parseBanner reads what a server says to --version: "/usr/sbin/mariadbd  Ver
// 11.8.6-MariaDB-0+deb13u1 from Debian for …".
func parseBanner(s string) (Flavour, Version, bool) {
	_, rest, found := strings.Cut(s, " Ver ")
	v, ok := parseVersion(strings.TrimSpace(rest))
	if !found || !ok {
		return "", Version{}, false
	}
	if strings.Contains(rest, string(MariaDB)) {
		return MariaDB, v, true
	}
	return MySQL, v, true
}

// numbered reads MYSQL_VERSION_ID of either server's sources: 110806 is 11.8.6.
func numbered(id uint32) (Version, bool) {
	v := Version{Major: int(id / 10000), Minor: int(id / 100 % 100), Patch: int(id % 100)}
	return v, v.plausible()
}

// plausible keeps out numbers that are no version: neither server was ever
// older than 5 when it had these files.
func (v Version) plausible() bool {
	return v.Major >= 5 && v.Major < 100 && v.Minor >= 0 && v.Minor < 100 && v.Patch >= 0 && v.Patch < 1000
}
