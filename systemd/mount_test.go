package systemd

import (
	"strings"
	"testing"
)

func TestMountUnit(t *testing.T) {
	for _, tt := range []struct {
		name string
		unit MountUnit
		want string
	}{
		{"a required volume", MountUnit{What: "/dev/mapper/bootswain-data", Where: "/srv/data", Type: "xfs", Options: []string{"noatime", "nodev"}, Required: true},
			`# Written by bootswain; gone with the next boot.
[Unit]
Description=bootswain: /srv/data
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target bootswain-storage.target
PropagatesStopTo=bootswain-storage.target
Wants=bootswain-hold.service
After=bootswain-hold.service

[Mount]
What=/dev/mapper/bootswain-data
Where=/srv/data
Type=xfs
Options=noatime,nodev
TimeoutSec=5min
`},
		{"a bind mount", MountUnit{Description: "databases", What: "/srv/data/mysql", Where: "/var/lib/mysql", Type: "none", Options: []string{"bind"}, BindsTo: []string{"srv-data.mount"}},
			`# Written by bootswain; gone with the next boot.
[Unit]
Description=databases
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target
Wants=bootswain-hold.service
After=bootswain-hold.service srv-data.mount
BindsTo=srv-data.mount

[Mount]
What=/srv/data/mysql
Where=/var/lib/mysql
Type=none
Options=bind
TimeoutSec=5min
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.unit.String(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestMountName(t *testing.T) {
	for where, want := range map[string]string{
		"/srv/data":     "srv-data.mount",
		"/srv/data/":    "srv-data.mount",
		"/srv//data":    "srv-data.mount",
		"/srv/my-data":  `srv-my\x2ddata.mount`,
		"/srv/ä":        `srv-\xc3\xa4.mount`,
		"/":             "-.mount",
		"/var/lib/.x/y": "var-lib-.x-y.mount",
	} {
		if got := MountName(where); got != want {
			t.Errorf("MountName(%q) = %q, want %q", where, got, want)
		}
	}
}

// FuzzMountUnit: no path, type or option may add a line of its own to the unit.
func FuzzMountUnit(f *testing.F) {
	f.Add("/dev/x", "/srv/data", "xfs", "noatime")
	f.Add("/dev/%i", "/srv/\nExecStart=/bin/sh", "xfs\n[Install]", "a\\\nb")
	f.Add("x\\", "\r", "\\", "\x00")
	f.Add("x", "/a b", "xfs", "ro")
	f.Fuzz(func(t *testing.T, what, where, kind, option string) {
		if what == "" || where == "" || kind == "" || option == "" {
			return
		}
		u := MountUnit{What: what, Where: where, Type: kind, Options: []string{option}}
		if u.check() != nil {
			return
		}
		if got := strings.Count(u.String(), "\n"); got != 15 {
			t.Errorf("%d lines:\n%s", got, u)
		}
		for line := range strings.Lines(u.String()) {
			if strings.HasSuffix(line, "\\\n") {
				t.Errorf("a line goes on: %q", line)
			}
			if strings.Count(strings.ReplaceAll(line, "%%", ""), "%") > 0 {
				t.Errorf("a specifier: %q", line)
			}
		}
	})
}
