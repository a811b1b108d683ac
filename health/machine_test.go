package health_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"bootswain/health"
	"bootswain/internal/situation"
)

// A machine as there are many: a database on two striped volumes, a third for
// files, and scratch. Its sentences are those that the daemon writes.
const (
	first  = "vol-0b7c41e8f2a9d3055"
	second = "vol-02d94f6ab17c8e330"
	third  = "vol-0e5a88d01c4f7b926"
)

var night = time.Date(2026, 11, 21, 3, 14, 41, 0, time.UTC)

// states are the ones that people see the page in.
var states = map[string]func() health.Report{
	"fine": fine, "slow": slow, "waiting": waiting, "failing": failing,
}

// fine is a machine that has nothing to complain of.
func fine() health.Report {
	r := health.Report{
		Release: "0.7.0", Time: night, Boot: "5b0c7c1a-3d5e-4f0b-9a57-0d9f0d8d3e11", Instance: "i-0c3d5f7a9b1e24680",
		Launch: health.Launch{Known: true, Given: true},
		MySQL:  &health.MySQL{Server: "mariadb", Volume: "data", Directory: "/var/lib/mysql", Status: database()},
		Volumes: []health.Volume{{
			Name: "data", Required: true, Mount: "/srv/data", Mounted: true,
			Devices: []health.Device{{Volume: first, Path: "/dev/nvme1n1", Size: 500 << 30}, {Volume: second, Path: "/dev/nvme2n1", Size: 500 << 30}},
			RAID:    &health.RAID{Name: "/dev/md127", Level: "raid0", State: "clean"},
			LUKS:    &health.LUKS{Name: "bootswain-data", Keys: "recovery key sealed to age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq"},
			FS:      &health.Filesystem{Type: "xfs"},
		}, {
			Name: "files", Required: true, Mount: "/srv/files", Mounted: true, Key: "none",
			Devices: []health.Device{{Volume: third, Path: "/dev/nvme3n1", Size: 100 << 30}}, FS: &health.Filesystem{Type: "ext4"},
		}, {
			Name: "scratch", Mount: "/mnt/scratch", Mounted: true, Key: "ephemeral",
			Devices: []health.Device{{Volume: "nvme4n1", Path: "/dev/nvme4n1", Size: 474 << 30}},
			LUKS:    &health.LUKS{Name: "bootswain-scratch", Keys: "a key that only the kernel has"}, FS: &health.Filesystem{Type: "xfs"},
		}},
	}
	say := func(name, subject, text string) {
		r.Checks = append(r.Checks, health.CheckOf(name, &situation.Situation{Word: situation.Ready, Subject: subject, Text: text}, night))
	}
	say("launch-data", "launch data", "3 users, 3 volumes.")
	say("users", "users", "3 users may log in.")
	say("volume:data", "data", "mounted on /srv/data.")
	say("md:data", "data", "array of 2 volumes is whole.")
	say("luks:data", "data", "encrypted; recovery key sealed to age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq.")
	say("mount:data", "data", "mounted on /srv/data.")
	say("mysql", "mariadb", "answers, version 11.8.3-MariaDB-0+deb13u1.")
	say("volume:files", "files", "mounted on /srv/files, not encrypted, as the launch data asks.")
	say("mount:files", "files", "mounted on /srv/files.")
	say("volume:scratch", "scratch", "mounted on /mnt/scratch, scratch: lost when it is taken down, and with each boot.")
	r.Checks = append(r.Checks, looks()...)
	r.Steps = steps()
	r.Numbers.Series = []health.Series{
		series(first+" of data: read latency", 0.0011, 1), series(first+" of data: write latency", 0.0018, 1),
		series(second+" of data: read latency", 0.0012, 1), series(second+" of data: write latency", 0.0017, 1),
	}
	return r
}

// slow is one whose disk is sick.
func slow() health.Report {
	r := fine()
	r.Numbers.Series[1] = series(first+" of data: write latency", 0.0018, 14)
	change(&r, "latency:data", health.Warn, 8*time.Minute, health.Sentence{Word: situation.Degraded, Subject: "data",
		Text: first + " write p50 26 ms (25 ms in EBS), 14× baseline at like load, 8m; not an EBS limit.",
		Next: "look at the volume's and the instance's events in EC2; if it lasts, replace the volume from a snapshot, or stop and start the instance"})
	change(&r, "pressure:io", health.Warn, 5*time.Minute, health.Sentence{Word: situation.Degraded, Subject: "pressure:io",
		Text: "all tasks waited for it in 47% of 5m.", Next: "see which disk is slow: the checks disk and latency"})
	return r
}

// waiting is one that has just come up, and one of its volumes has not.
func waiting() health.Report {
	r := fine()
	r.Steps, r.Numbers.Series, r.MySQL.Status = r.Steps[6:], nil, nil
	r.Volumes[0].Mounted, r.Volumes[0].RAID, r.Volumes[0].LUKS, r.Volumes[0].FS = false, nil, nil, nil
	r.Volumes[0].Devices[1] = health.Device{Volume: second, Missing: true}
	s := health.Sentence{Word: situation.Waiting, Subject: "data",
		Text: "1 of 2 volumes; " + second + " missing 2m (EC2: attached to i-0a1b2c3d4e5f60718, shutting-down).",
		Next: "nothing while i-0a1b2c3d4e5f60718 stops; continues by itself"}
	for _, name := range []string{"volume:data", "md:data", "luks:data", "mount:data"} {
		change(&r, name, health.Warn, 2*time.Minute, s)
	}
	change(&r, "mysql", health.Fail, 2*time.Minute, health.Sentence{Word: situation.Held, Subject: "mariadb", Text: s.Situation().Error(), Next: s.Next})
	return r
}

// failing is one that lost a disk in the night.
func failing() health.Report {
	r := fine()
	r.MySQL.Status = nil
	r.Volumes[0].Mounted, r.Volumes[0].RAID.State = false, "broken"
	r.Volumes[0].Devices[1] = health.Device{Volume: second, Missing: true}
	r.Numbers.Series = r.Numbers.Series[:2]
	s := health.Sentence{Word: situation.Failed, Subject: "data", Text: second + " lost, array broken.",
		Next: "reattach " + second + "; if it is gone for good, restore from a snapshot"}
	for _, name := range []string{"volume:data", "md:data", "luks:data", "mount:data"} {
		change(&r, name, health.Fail, 150*time.Second, s)
	}
	change(&r, "mysql", health.Fail, 150*time.Second, health.Sentence{Word: situation.Held, Subject: "mariadb", Text: s.Situation().Error(), Next: s.Next})
	change(&r, "space:/srv/files", health.Warn, 26*time.Hour, health.Sentence{Word: situation.Degraded, Subject: "/srv/files",
		Text: "88% taken, 11.8 GiB free.", Next: "make room, or make the volume larger in EC2: it grows while it is mounted"})
	change(&r, "app:orders", health.Fail, 140*time.Second, health.Sentence{Word: situation.Failed, Subject: "orders",
		Text: "503 Service Unavailable: no database.", Next: "curl -v http://127.0.0.1:8080/health"})
	return r
}

func change(r *health.Report, name string, to health.Status, ago time.Duration, s health.Sentence) {
	for i := range r.Checks {
		if c := &r.Checks[i]; c.Name == name {
			c.Status, c.Since, c.Sentence = to, night.Add(-ago), s
			return
		}
	}
	panic("no check " + name)
}

// looks are the checks that people are told of only when they do not pass.
func looks() (all []health.Check) {
	say := func(name, subject, text string, value float64, unit string) {
		c := health.CheckOf(name, &situation.Situation{Word: situation.Ready, Subject: subject, Text: text}, night)
		c.Quiet, c.Since = true, night.Add(-26*time.Hour)
		if unit != "" {
			c.Value, c.Unit = &value, unit
		}
		all = append(all, c)
	}
	say("latency:data", "data", "its disks take as long as usual.", 1.04, "times")
	say("mysql:connections", "mariadb", "42 of 500 connections.", 42, "connections")
	say("mysql:history", "mariadb", "118 transactions wait for the purge.", 118, "transactions")
	say("mysql:checkpoint", "mariadb", "212 MiB of redo since the checkpoint, of 1638.", 212<<20, "bytes")
	say("mysql:replication", "mariadb", "replicates from 10.0.4.17:3306, 0s behind.", 0, "s")
	say("processor", "processor", "23% busy over 5m.", 23, "percent")
	say("load", "load", "0.61 tasks for each of 4 processors over 15m.", 0.61, "tasks")
	say("memory", "memory", "11.2 GiB of 30.8 GiB available.", 36.4, "percent")
	for _, what := range []string{"cpu", "memory", "io"} {
		say("pressure:"+what, "pressure:"+what, "all tasks waited for it in 0% of 5m.", 0.2, "percent")
	}
	for i, path := range []string{"/", "/srv/data", "/srv/files", "/mnt/scratch"} {
		used := []float64{31, 64, 71, 3}[i]
		say("space:"+path, path, fmt.Sprintf("%.0f%% taken, 180 GiB free.", used), used, "percent")
		say("writable:"+path, path, "can be written to.", 0, "")
	}
	for _, id := range []string{first, second, third, "nvme0n1"} {
		say("disk:"+id, id, "answers.", 0, "seconds")
	}
	say("clock", "clock", "wrong by 412µs at most.", 0, "seconds")
	say("units", "units", "none has failed.", 0, "units")
	say("app:orders", "orders", "200 OK.", 0.012, "seconds")
	say("service:falco", "falco", "active (running).", 0, "")
	return all
}

func steps() (all []health.Step) {
	at := night.Add(-26*time.Hour - 9*time.Minute)
	step := func(wait, took time.Duration, name string) {
		at = at.Add(wait)
		all = append(all, health.Step{Name: name, Start: at, Duration: took})
		at = at.Add(took)
	}
	step(400*time.Millisecond, 61*time.Millisecond, "data: assemble array data on "+first+", "+second)
	step(3*time.Millisecond, 840*time.Millisecond, "data: get the key of data")
	step(2*time.Millisecond, 2310*time.Millisecond, "data: open data on "+first+", "+second)
	step(4*time.Millisecond, 96*time.Millisecond, "data: mount data on /srv/data")
	at = at.Add(-2 * time.Second)
	step(0, 44*time.Millisecond, "files: map files on "+third+", not encrypted")
	step(3*time.Millisecond, 71*time.Millisecond, "files: mount files on /srv/files")
	at = at.Add(-time.Second)
	step(0, 1900*time.Millisecond, "scratch: write a LUKS2 header for scratch on nvme4n1")
	step(2*time.Millisecond, 350*time.Millisecond, "scratch: make an XFS file system for scratch")
	step(2*time.Millisecond, 48*time.Millisecond, "scratch: mount scratch on /mnt/scratch")
	return all
}

// series is six hours of latency; in the last eight minutes it is so many times
// what it was.
func series(title string, usual, times float64) health.Series {
	s := health.Series{Name: "latency:data", Title: title, Unit: "seconds", Start: night.Add(-6 * time.Hour), Step: 5 * time.Minute}
	random := rand.New(rand.NewPCG(uint64(usual*1e6), 1)) //nolint:gosec // a drawing
	for i := range 72 {
		expected := usual * (1 + 0.25*math.Sin(float64(i)/11))
		value := expected * (0.9 + 0.25*random.Float64())
		if i >= 70 {
			value *= times
		}
		if i > 30 && i < 34 {
			value = -1 // nothing was asked of the disk
		}
		s.Values, s.Baseline = append(s.Values, value), append(s.Baseline, expected)
	}
	return s
}

func database() *health.DB {
	lag := time.Duration(0)
	return &health.DB{
		Time: night, Version: "11.8.3-MariaDB-0+deb13u1", Uptime: 26*time.Hour + 8*time.Minute + 31*time.Second,
		Connections: 42, MaxConnections: 500, History: 118, CheckpointAge: 212 << 20, CheckpointMax: 1638 << 20, DirtyPages: 3112,
		ReadOnly: true,
		GTID:     health.GTID{Executed: "0-17-88213407", Binlog: "0-17-88213407", Replica: "0-17-88213407"},
		Channels: []health.Channel{{Source: "10.0.4.17:3306", Receiver: "Yes", Applier: "Yes", Lag: &lag, GTID: "0-17-88213407"}},
		IO: []health.Latency{{File: "data", Read: 1104 * time.Microsecond, Write: 1790 * time.Microsecond, Calls: 18214},
			{File: "log", Write: 212 * time.Microsecond, Sync: 1630 * time.Microsecond, Calls: 4412}},
	}
}
