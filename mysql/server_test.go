package mysql

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bootswain/systemd"
)

func TestDetect(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		name  string
		units map[string]systemd.State
		want  string
	}{
		{"none", nil, ""},
		{"mariadb with its aliases", map[string]systemd.State{
			"mariadb.service": stopped("mariadb.service"), "mysql.service": stopped("mariadb.service"), "mysqld.service": stopped("mariadb.service")}, "mariadb"},
		{"mysql on Debian", map[string]systemd.State{"mysql.service": running("mysql.service")}, "mysql"},
		{"mysql on Amazon Linux", map[string]systemd.State{"mysqld.service": stopped("mysqld.service")}, "mysqld"},
		{"an alias alone", map[string]systemd.State{"mysql.service": stopped("percona.service")}, "percona"},
		{"masked", map[string]systemd.State{"mariadb.service": {Name: "mariadb.service", Load: "masked"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Detect(ctx, &fakeUnits{units: tt.units})
			if err != nil || got.Name() != tt.want {
				t.Errorf("Detect = %q, %v, want %q", got.Name(), err, tt.want)
			}
		})
	}
	_, err := Detect(ctx, &fakeUnits{fail: errTest})
	wantError(t, err, "out of order")
}

func TestBindAndUnbind(t *testing.T) {
	ctx := context.Background()
	u := &fakeUnits{units: map[string]systemd.State{"mariadb.service": running("mariadb.service")}, mounted: map[string]systemd.MountUnit{}}
	s := Server{Unit: "mariadb.service"}
	if err := Bind(ctx, u, s, "/srv/data"); err != nil {
		t.Fatal(err)
	}
	got := u.mounted[Directory]
	if got.What != "/srv/data/mysql" || got.Type != "none" || !slices.Equal(got.Options, []string{"bind"}) || !slices.Equal(got.BindsTo, []string{"srv-data.mount"}) {
		t.Errorf("bind mount is %+v", got)
	}
	if err := BindPart(ctx, u, s, Elsewhere{RedoLog, "logs", "/srv/logs"}); err != nil {
		t.Fatal(err)
	}
	got = u.mounted["/var/lib/mysql/#redo_log"]
	if got.What != "/srv/logs/mysql-redo_log" || !slices.Equal(got.Options, []string{"bind"}) || !slices.Equal(got.BindsTo, []string{"srv-logs.mount", "var-lib-mysql.mount"}) {
		t.Errorf("bind mount is %+v", got)
	}
	if err := Unbind(ctx, u, s); err != nil {
		t.Fatal(err)
	}
	want := []string{"mount /var/lib/mysql", "mount /var/lib/mysql/#redo_log", "stop mariadb.service",
		"unmount /var/lib/mysql", "unmount /var/lib/mysql/#binary_logs", "unmount /var/lib/mysql/#redo_log", "unmount /var/lib/mysql/#tmpdir"}
	if !slices.Equal(u.log, want) || len(u.mounted) != 0 {
		t.Errorf("did %q, want %q", u.log, want)
	}
}

func TestStopHard(t *testing.T) {
	s := Server{Unit: "mariadb.service"}
	t.Run("a stop that waits for the kill", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			u := &fakeUnits{stopped: make(chan struct{})}
			if err := StopHard(context.Background(), u, s); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("a process that cannot be killed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			u := &fakeUnits{stopped: make(chan struct{})}
			err := StopHard(ctx, unkillable{u}, s)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v, want the deadline", err)
			}
		})
	})
	t.Run("systemd is gone", func(t *testing.T) {
		wantError(t, StopHard(context.Background(), &fakeUnits{fail: errTest}, s), "out of order")
	})
}

type unkillable struct{ *fakeUnits }

func (unkillable) Kill(context.Context, string) error { return nil }
