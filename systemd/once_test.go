package systemd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunOnce(t *testing.T) {
	m, h := newFake(t)
	o := OnceUnit{
		Name: "bootswain-initialise.service", Description: "new databases", Command: []string{"/usr/sbin/mysqld", "--initialize-insecure"},
		UID: 100, GID: 101, Bind: "/srv/data/mysql.preparing", At: "/var/lib/mysql", BindsTo: []string{"srv-data.mount"}, Limit: time.Minute,
	}
	for _, line := range []string{
		"ExecStart=/usr/sbin/mysqld --initialize-insecure", "User=100", "Group=101", "BindPaths=/srv/data/mysql.preparing:/var/lib/mysql",
		"PrivateNetwork=yes", "DefaultDependencies=no", "After=bootswain-hold.service srv-data.mount", "BindsTo=srv-data.mount", "TimeoutStartSec=60s",
	} {
		if !strings.Contains(o.String(), line+"\n") {
			t.Errorf("the unit lacks %s:\n%s", line, o)
		}
	}
	if err := m.RunOnce(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	h.results[o.Name] = "failed"
	err := m.RunOnce(t.Context(), o)
	if failed, ok := errors.AsType[*JobError](err); !ok || failed.Job != "failed" {
		t.Errorf("error = %v, want that the job failed", err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, o.Name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unit is left behind: %v", err)
	}
	o.Bind = "/srv/my data"
	if err := m.RunOnce(t.Context(), o); err == nil || !strings.Contains(err.Error(), `"/srv/my data" cannot stand in a unit file`) {
		t.Errorf("error = %v, want that the path cannot be said", err)
	}
}
