package agent

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"bootswain/launch"
	"bootswain/spec"
)

const soundUser = `#bootswain
version: 1
users:
  - name: ops
    ssh_authorized_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops@laptop
`

func TestReadOrders(t *testing.T) {
	for name, c := range map[string]struct {
		data    launch.Data
		users   int
		trouble string // of the sentence; "" for none
	}{
		"none given":      {launch.Data{}, 0, ""},
		"somebody else's": {launch.Data{Given: true, UserData: []byte("#!/bin/sh\n")}, 0, ""},
		"sound":           {launch.Data{Given: true, UserData: []byte(soundUser)}, 1, ""},
		"unknown key keeps the sound user": {
			launch.Data{Given: true, UserData: []byte(soundUser + "volums: {}\n")}, 1,
			"FAILED launch data 7:1: volums unknown (volumes?). No disk touched",
		},
		"not YAML": {launch.Data{Given: true, UserData: []byte("#bootswain\n{")}, 0, "FAILED launch data"},
	} {
		o := read(c.data)
		if len(o.spec.Users) != c.users {
			t.Errorf("%s: %d users, want %d", name, len(o.spec.Users), c.users)
		}
		switch {
		case c.trouble == "" && o.trouble != nil:
			t.Errorf("%s: %s, want no trouble", name, o.trouble)
		case c.trouble != "" && (o.trouble == nil || !strings.HasPrefix(o.trouble.Error(), c.trouble)):
			t.Errorf("%s: %v, want %q", name, o.trouble, c.trouble)
		case c.trouble != "" && ExitCode(o.trouble) != ExitLaunchData:
			t.Errorf("%s: exit code %d, want %d", name, ExitCode(o.trouble), ExitLaunchData)
		}
	}
}

func TestReleasedNeedsTheNameAndBothHalves(t *testing.T) {
	volumes := []spec.Volume{{Name: "data"}}
	if err := released(volumes, ApplyOptions{Wipe: []string{"vol-1:ab"}}); err == nil || !strings.Contains(err.Error(), "needs the NAME") {
		t.Errorf("without a name: %v", err)
	}
	if err := released(volumes, ApplyOptions{Name: "data", Wipe: []string{"vol-1"}}); err == nil || !strings.Contains(err.Error(), "not VOLUME:FINGERPRINT") {
		t.Errorf("without a fingerprint: %v", err)
	}
	if err := released(volumes, ApplyOptions{Name: "data", Wipe: []string{"vol-1:ab"}}); err != nil || volumes[0].Wipe[0] != (spec.Wipe{Volume: "vol-1", Found: "ab"}) {
		t.Errorf("released %v, %v", volumes[0].Wipe, err)
	}
}

func TestExplainLeavesOutWhatWasPrinted(t *testing.T) {
	if got := Explain(toldError{errors.New("already on the screen")}); got != "" {
		t.Errorf("printed twice: %q", got)
	}
}

// TestKeep: of two processes that fetch at a time both follow what the first has
// kept, and the second leaves the file as it is.
func TestKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "launch.json")
	first := launch.Data{Given: true, UserData: []byte(soundUser), InstanceID: "i-1"}
	if got, err := keep(path, first); err != nil || got.InstanceID != "i-1" {
		t.Fatalf("first: %+v, %v", got, err)
	}
	version := modified(path)
	if got, err := keep(path, launch.Data{InstanceID: "i-2"}); err != nil || got.InstanceID != "i-1" || !modified(path).Equal(version) {
		t.Errorf("second: %+v, %v, kept at %v and then at %v", got, err, version, modified(path))
	}
}
