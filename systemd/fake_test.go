package systemd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

// fakeHost is a small model of a service manager: units are files in a folder,
// loaded when first asked for, and everything starts and stops at once.
type fakeHost struct {
	dir      string
	loaded   map[string]string // content when the unit was read
	dropIns  map[string][]string
	active   map[string]bool
	results  map[string]string // what the next job of a unit ends with, if not "done"
	shutdown bool
	stuck    bool  // jobs never end
	unread   error // why units cannot be read anew
	reloads  int
	open     int // connections
	log      []string
}

func newFake(t *testing.T) (*Manager, *fakeHost) {
	h := &fakeHost{dir: t.TempDir(), loaded: map[string]string{}, dropIns: map[string][]string{}, active: map[string]bool{}, results: map[string]string{}}
	t.Cleanup(func() {
		if h.open != 0 {
			t.Errorf("%d connections left open", h.open)
		}
	})
	m := &Manager{dir: h.dir, flag: filepath.Join(h.dir, "flag/storage"), connect: func(context.Context) (bus, error) {
		h.open++
		return h, nil
	}}
	return m, h
}

// state renders the model: what is up, and which files there are.
func (h *fakeHost) state() string {
	var up []string
	for unit, active := range h.active {
		if active {
			up = append(up, unit)
		}
	}
	slices.Sort(up)
	files, _ := filepath.Glob(h.dir + "/*.mount")
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	return fmt.Sprintf("up %v files %v reloads %d", up, files, h.reloads)
}

// file reads a unit with its drop-ins.
func (h *fakeHost) file(unit string) (string, bool) {
	data, err := os.ReadFile(filepath.Join(h.dir, unit))
	text := string(data)
	for _, d := range h.findDropIns(unit) {
		more, _ := os.ReadFile(d)
		text += string(more)
	}
	return text, err == nil
}

func (h *fakeHost) findDropIns(unit string) []string {
	found, _ := filepath.Glob(filepath.Join(h.dir, unit+".d", "*.conf"))
	return found
}

func (h *fakeHost) load(unit string) bool {
	text, ok := h.file(unit)
	if _, known := h.loaded[unit]; known && (ok || h.active[unit]) {
		return true
	}
	delete(h.loaded, unit) // systemd forgets what is down and has no file
	if ok {
		h.loaded[unit], h.dropIns[unit] = text, h.findDropIns(unit)
	}
	return ok
}

func (h *fakeHost) job(verb, unit string, up bool, done chan<- string) (int, error) {
	h.log = append(h.log, verb+" "+unit)
	switch {
	case h.shutdown:
		return 0, godbus.Error{Name: destructive}
	case !h.load(unit):
		return 0, godbus.Error{Name: noSuchUnit}
	case h.stuck:
		return 1, nil
	}
	result := "done"
	if r, ok := h.results[unit]; ok {
		result = r
	} else {
		h.active[unit] = up
	}
	if done != nil {
		done <- result
	}
	return 1, nil
}

func (h *fakeHost) StartUnitContext(_ context.Context, unit, _ string, done chan<- string) (int, error) {
	return h.job("start", unit, true, done)
}

func (h *fakeHost) StopUnitContext(_ context.Context, unit, _ string, done chan<- string) (int, error) {
	return h.job("stop", unit, false, done)
}

func (h *fakeHost) ReloadOrTryRestartUnitContext(_ context.Context, unit, _ string, done chan<- string) (int, error) {
	return h.job("reload", unit, h.active[unit], done)
}

func (h *fakeHost) KillUnitWithTarget(_ context.Context, unit string, target dbus.Who, signal int32) error {
	h.log = append(h.log, fmt.Sprintf("kill %s %s %d", unit, target, signal))
	if !h.load(unit) {
		return godbus.Error{Name: noSuchUnit}
	}
	return nil
}

func (h *fakeHost) ResetFailedUnitContext(_ context.Context, unit string) error {
	if !h.load(unit) {
		return godbus.Error{Name: noSuchUnit}
	}
	h.log = append(h.log, "reset "+unit)
	return nil
}

func (h *fakeHost) ReloadContext(context.Context) error {
	if h.unread != nil {
		return h.unread
	}
	h.reloads++
	for unit := range h.loaded {
		h.loaded[unit], _ = h.file(unit)
		h.dropIns[unit] = h.findDropIns(unit)
	}
	return nil
}

// ListUnitsFilteredContext knows of one state, and of results that are one's.
func (h *fakeHost) ListUnitsFilteredContext(_ context.Context, states []string) (list []dbus.UnitStatus, err error) {
	if !slices.Equal(states, []string{"failed"}) {
		return nil, fmt.Errorf("units in the states %q", states)
	}
	for unit, result := range h.results {
		if result == "failed" {
			list = append(list, dbus.UnitStatus{Name: unit})
		}
	}
	return list, nil
}

func (h *fakeHost) GetAllPropertiesContext(_ context.Context, unit string) (map[string]any, error) {
	p := map[string]any{"Id": unit, "LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "Result": "success"}
	if h.load(unit) {
		p["LoadState"] = "loaded"
		now, _ := h.file(unit)
		p["DropInPaths"] = h.dropIns[unit]
		// Of a drop-in where none was, nothing is noticed.
		p["NeedDaemonReload"] = now != h.loaded[unit] && (len(h.dropIns[unit]) > 0 || len(h.findDropIns(unit)) == 0)
	}
	if h.active[unit] {
		p["ActiveState"], p["SubState"], p["MainPID"], p["StateChangeTimestamp"] = "active", "running", uint32(42), uint64(1_700_000_000_000_000)
	}
	if _, failed := h.results[unit]; failed {
		p["ActiveState"], p["Result"] = "failed", "exit-code"
	}
	return p, nil
}

func (h *fakeHost) Close() { h.open-- }

func (h *fakeHost) install(t *testing.T, unit string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, unit), []byte("[Unit]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want %q", err, want)
	}
}
