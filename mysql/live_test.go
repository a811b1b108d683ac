package mysql

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	volumeMount = "60 28 253:0 / /srv/data rw,noatime shared:30 - xfs /dev/mapper/bootswain-data rw\n"
	rootMount   = "28 1 259:1 / / rw shared:1 - ext4 /dev/nvme0n1p1 rw\n"
	idle        = "100 0 800 5 200 0 1600 9 0 12 14 0 0 0 0 0 0\n"
	busy        = "100 0 800 5 200 0 1600 9 7 12 14 0 0 0 0 0 0\n"
)

// machine is a folder that looks like /proc, /sys and the directory.
func machine(t *testing.T, bind string, files map[string]string) Host {
	t.Helper()
	root := t.TempDir()
	h := Host{
		Isolation: Isolation{Home: t.TempDir()},
		Proc:      filepath.Join(root, "proc"), Sys: filepath.Join(root, "sys"), Directory: filepath.Join(root, "mysql"), Members: func() error { return nil },
		Stack:  Stack{Type: "xfs", LUKS: "5e1f0000-0000-4000-8000-0000000000aa", Under: "md127"},
		Server: "mariadb", Program: Program{Flavour: MariaDB, Version: Version{11, 8, 6}}, Owner: os.Getuid(),
	}
	unpack(t, h.Directory, mariadb11)
	write(t, root, map[string]string{
		"proc/self/mountinfo":               rootMount + volumeMount + strings.ReplaceAll(bind, "DIR", h.Directory),
		"sys/dev/block/253:0/dm/name":       "bootswain-data\n",
		"sys/dev/block/253:0/dm/uuid":       "CRYPT-LUKS2-5e1f00000000400080000000000000aa-bootswain-data\n",
		"sys/dev/block/253:0/slaves/md127/": "",
		"sys/dev/block/253:0/stat":          idle,
		"sys/dev/block/253:1/dm/name":       "bootswain-other\n",
	})
	write(t, root, files)
	return h
}

func TestLive(t *testing.T) {
	const good = "61 28 253:0 /mysql DIR rw,noatime shared:30 - xfs /dev/mapper/bootswain-data rw\n"
	ours := map[string]string{"mysql/.bootswain": "x"}
	with := func(name, content string) map[string]string {
		m := map[string]string{name: content}
		for k, v := range ours {
			m[k] = v
		}
		return m
	}
	gone := errors.New("vol-0a33 is gone")
	for _, tt := range []struct {
		name    string
		bind    string
		files   map[string]string
		members error
		want    string
	}{
		{"all well", good, ours, nil, ""},
		{"nothing mounted", "", ours, nil, "is not mounted from volume data"},
		{"another disk", "61 28 259:9 / DIR rw - ext4 /dev/nvme9n1 rw\n", ours, nil, "is mounted from /dev/nvme9n1, not from volume data"},
		{"another volume of ours", "61 28 253:1 /mysql DIR rw - xfs /dev/mapper/bootswain-other rw\n", ours, nil, "is mounted from /dev/mapper/bootswain-other, not from volume data"},
		{"another directory", "61 28 253:0 /backup DIR rw - xfs /dev/mapper/bootswain-data rw\n", ours, nil, "shows /backup of volume data, not /mysql"},
		{"hidden by another mount", good + "70 61 0:44 / DIR rw - tmpfs tmpfs rw\n", ours, nil, "is mounted from tmpfs, not from volume data"},
		{"uncovered again", "70 61 0:44 / DIR rw - tmpfs tmpfs rw\n" + good, ours, nil, ""},
		{"another file system", strings.Replace(good, "xfs", "ext4", 1), ours, nil, "is ext4, and volume data has xfs"},
		{"another header", good, with("sys/dev/block/253:0/dm/uuid", "CRYPT-LUKS2-77-bootswain-data\n"), nil, "the mapping of volume data is not of LUKS 5e1f0000-0000-4000-8000-0000000000aa"},
		{"another device", good, with("sys/dev/block/253:0/slaves/nvme7n1/", ""), nil, "volume data is on md127, nvme7n1, not on md127"},
		{"a member is gone", good, ours, gone, "vol-0a33 is gone"},
		{"requests without end", good, with("sys/dev/block/253:0/stat", busy), nil, "volume data does not answer: 7 requests, none finished in 250ms"},
		{"no statistics", good, with("sys/dev/block/253:0/stat", "1 2 x"), nil, "cannot read the device's statistics"},
		{"no sentinel", good, nil, nil, "has no .bootswain, so it was not made for this"},
		{"cut off", good, with("mysql/mysql_upgrade_history", ""), nil, "on volume data is no whole data directory: it has no mysql.ibd"},
		{"an upgrade", good, with("mysql/mariadb_upgrade_info", "11.9.1-MariaDB"), nil, "HELD mariadb: data written by 11.9.1, this image has 11.8.6; untouched."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := machine(t, tt.bind, tt.files)
			h.Members = func() error { return tt.members }
			wantError(t, h.Live(context.Background(), "data"), tt.want)
		})
	}
}

// TestLiveEndsInTime: a caller who has less time gets the answer earlier.
func TestLiveEndsInTime(t *testing.T) {
	h := machine(t, "61 28 253:0 /mysql DIR rw - xfs /dev/mapper/bootswain-data rw\n",
		map[string]string{"mysql/.bootswain": "x", "sys/dev/block/253:0/stat": busy})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := h.Live(ctx, "data"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want the deadline", err)
	}
	if took := time.Since(start); took > progressLimit {
		t.Errorf("took %s", took)
	}
}

func TestReadIO(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"stat": busy})
	got, err := readIO(dir)
	if want := (ioCount{finished: 300, inFlight: 7}); err != nil || got != want {
		t.Errorf("readIO = %+v, %v, want %+v", got, err, want)
	}
	if _, err := readIO(t.TempDir()); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("error = %v, want no such file", err)
	}
}

// TestLiveOfAnotherOwner: a directory that the server could not write to.
func TestLiveOfAnotherOwner(t *testing.T) {
	h := machine(t, "61 28 253:0 /mysql DIR rw - xfs /dev/mapper/bootswain-data rw\n", map[string]string{"mysql/.bootswain": "x"})
	h.Owner = os.Getuid() + 1
	wantError(t, h.Live(context.Background(), "data"), "belongs to user id")
}

// TestLiveAdmits: a package was upgraded while the machine runs, as the launch
// data allow. That is noted before the new server starts.
func TestLiveAdmits(t *testing.T) {
	h := machine(t, "61 28 253:0 /mysql DIR rw - xfs /dev/mapper/bootswain-data rw\n", map[string]string{"mysql/.bootswain": "x"})
	h.Program.Version = Version{12, 3, 1}
	wantError(t, h.Live(context.Background(), "data"), "data written by 11.8.6, this image has 12.3.1")
	h.Upgrade = true
	for _, h.Admit = range []bool{false, true} {
		wantError(t, h.Live(context.Background(), "data"), "")
		d, err := ReadData(h.Directory)
		if err != nil || (d.Wrote == h.Program.Version) != h.Admit {
			t.Errorf("admitted %v: the data are of %s, %v", h.Admit, d.Wrote, err)
		}
	}
}

// TestLiveElsewhere: what is on other volumes is looked at as the data is, and
// belongs to them. The server is told where it is.
func TestLiveElsewhere(t *testing.T) {
	const (
		data = "61 28 253:0 /mysql DIR rw - xfs /dev/mapper/bootswain-data rw\n"
		redo = "62 61 253:2 /mysql-redo_log DIR/#redo_log rw - xfs /dev/mapper/bootswain-logs rw\n"
	)
	logs := func(h *Host) {
		h.Elsewhere = []LivePart{{Part: RedoLog, Volume: "logs", Members: func() error { return nil }, Stack: Stack{Type: "xfs", Under: "nvme2n1"}}}
	}
	whole := map[string]string{
		"mysql/.bootswain": "x", "mysql/.bootswain-elsewhere": `{"mark":"m","parts":{"redo_log":{"volume":"logs"}}}`, "mysql/#redo_log/.bootswain": `{"marks":["m"]}`,
		"sys/dev/block/253:2/dm/name": "bootswain-logs\n", "sys/dev/block/253:2/slaves/nvme2n1/": "", "sys/dev/block/253:2/stat": idle,
	}
	with := func(name, content string) map[string]string {
		m := maps.Clone(whole)
		m[name] = content
		return m
	}
	for _, tt := range []struct {
		name  string
		bind  string
		files map[string]string
		host  func(*Host)
		want  string
	}{
		{"all well", data + redo, whole, logs, ""},
		{"not mounted", data, whole, logs, "#redo_log is not mounted from volume logs"},
		{"from the volume of the data", data + strings.ReplaceAll(strings.ReplaceAll(redo, "253:2", "253:0"), "logs", "data"), whole, logs, "is mounted from /dev/mapper/bootswain-data, not from volume logs"},
		{"another directory", data + strings.Replace(redo, "/mysql-redo_log", "/mysql-tmpdir", 1), whole, logs, "shows /mysql-tmpdir of volume logs, not /mysql-redo_log"},
		{"another device", data + redo, with("sys/dev/block/253:2/slaves/nvme7n1/", ""), logs, "volume logs is on nvme2n1, nvme7n1, not on nvme2n1"},
		{"requests without end", data + redo, with("sys/dev/block/253:2/stat", busy), logs, "volume logs does not answer: 7 requests"},
		{"a device is gone", data + redo, whole, func(h *Host) {
			logs(h)
			h.Elsewhere[0].Members = func() error { return errors.New("vol-0a44 of volume logs is gone") }
		}, "vol-0a44 of volume logs is gone"},
		{"of another time", data + redo, with("mysql/#redo_log/.bootswain", `{"marks":["l"]}`), logs, "HELD mariadb: the redo log on volume logs is of other databases, or of another time of these; untouched."},
		{"without a mark", data + redo, with("mysql/.bootswain-elsewhere", `{}`), logs, "HELD mariadb: the redo log on volume logs is of other databases"},
		{"marks that cannot be read", data + redo, with("mysql/#redo_log/.bootswain", `{`), logs, "cannot read volume logs: cannot read"},
		{"forgotten by the launch data", data + redo, whole, func(*Host) {}, "HELD mariadb: its redo log is on volume logs, and the launch data name none for that; untouched."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := machine(t, tt.bind, tt.files)
			tt.host(&h)
			must(t, os.Chmod(h.Isolation.Home, 0o755)) // for the server to read what is in it
			h.Admit, h.Isolation.Home = true, filepath.Join(h.Isolation.Home, "bootswain")
			wantError(t, h.Live(t.Context(), "data"), tt.want)
			told, _ := os.ReadFile(filepath.Join(h.Isolation.Home, settingsFile))
			if started := strings.Contains(string(told), "innodb_log_group_home_dir"); started != (tt.want == "") {
				t.Errorf("the server is told %q", told)
			}
		})
	}
}
