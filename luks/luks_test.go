package luks_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bootswain/internal/fakehost"
	"bootswain/internal/run"
	"bootswain/luks"
)

const (
	volumeID = "vol-0a000011"
	headerID = "12345678-1234-8234-9234-123456789abc"
)

// formatted returns a machine with one formatted device, and the device's path.
func formatted(t *testing.T) (*fakehost.Machine, string) {
	t.Helper()
	m := fakehost.New(t)
	m.Create(48<<20, volumeID)
	devices, err := m.EBS().Devices()
	if err != nil {
		t.Fatal(err)
	}
	o := luks.FormatOptions{UUID: headerID, Label: "data", SectorSize: 4096}
	if err := luks.Format(t.Context(), m, devices[0].Path, o, []byte(firstKey)); err != nil {
		t.Fatal(err)
	}
	return m, devices[0].Path
}

func TestFormat(t *testing.T) {
	m, path := formatted(t)
	h, err := luks.ReadHeader(path)
	if err != nil || h.UUID != headerID || h.Label != "data" || h.Subsystem != luks.Subsystem || h.SectorSize != 4096 || h.Keyslots != 1 {
		t.Errorf("header %+v, %v", h, err)
	}
	if tok, err := h.Token(); tok != nil || err != nil {
		t.Errorf("token %+v, %v", tok, err)
	}
	if all := strings.Join(m.Commands, "\n"); strings.Contains(all, "canary") {
		t.Errorf("the key is among the arguments: %s", all)
	}
}

func TestSetToken(t *testing.T) {
	m, path := formatted(t)
	for _, intent := range []luks.Intent{luks.Preparing, luks.Ready} {
		want := luks.Token{Set: "data", Members: 1, Volumes: []string{volumeID}, Intent: intent}
		if err := luks.SetToken(t.Context(), m, path, want); err != nil {
			t.Fatal(err)
		}
		h, err := luks.ReadHeader(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.Token(); err != nil || got.Intent != intent {
			t.Errorf("read back %+v, %v", got, err)
		}
	}
}

// forgetful says that it wrote a token, and did not.
type forgetful struct{}

func (forgetful) Run(context.Context, run.Cmd) ([]byte, error) { return nil, nil }

func TestSetTokenReadsBack(t *testing.T) {
	m, path := formatted(t)
	token := luks.Token{Set: "data", Members: 1, Volumes: []string{volumeID}, Intent: luks.Ready}
	if err := luks.SetToken(t.Context(), forgetful{}, path, token); err == nil || !strings.Contains(err.Error(), "copy 1 does not hold the token just written") {
		t.Errorf("a token that is not there: %v", err)
	}
	if err := luks.SetToken(t.Context(), m, path, token); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(m.Disk(volumeID), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, 512), 16<<10)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := luks.SetToken(t.Context(), forgetful{}, path, token); err == nil || !strings.Contains(err.Error(), "copy 2 does not read back") {
		t.Errorf("a copy that is not there: %v", err)
	}
}

func TestOpenAndClose(t *testing.T) {
	m, path := formatted(t)
	if err := luks.Open(t.Context(), m, path, "bootswain-data", []byte("another")); !errors.Is(err, luks.ErrWrongKey) {
		t.Errorf("a wrong key: %v", err)
	}
	if err := luks.Open(t.Context(), m, path, "bootswain-data", []byte(firstKey)); err != nil {
		t.Fatal(err)
	}
	if err := luks.Open(t.Context(), m, path, "bootswain-data", []byte(firstKey)); !errors.Is(err, luks.ErrBusy) {
		t.Errorf("a second time: %v", err)
	}
	sys := m.EBS().Sys
	on, err := luks.Mapped(sys, filepath.Base(path))
	if err != nil || len(on) != 1 || on[0].Name != "bootswain-data" || !on[0].Opens(headerID) {
		t.Errorf("on the device stands %+v, %v", on, err)
	}
	for range 2 {
		if err := luks.Close(t.Context(), m, "bootswain-data"); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := luks.CloseLost(t.Context(), m, "bootswain-data"); err != nil {
		t.Errorf("close what is closed, by force: %v", err)
	}
}

func TestPlain(t *testing.T) {
	m := fakehost.New(t)
	m.Create(48<<20, volumeID)
	devices, err := m.EBS().Devices()
	if err != nil {
		t.Fatal(err)
	}
	path, sys := devices[0].Path, m.EBS().Sys
	if err := luks.MapPlain(t.Context(), m, path, "bootswain-data", 40<<20); err != nil {
		t.Fatal(err)
	}
	on, err := luks.Mapped(sys, filepath.Base(path))
	if err != nil || len(on) != 1 || on[0].Name != "bootswain-data" || !on[0].Plain() || on[0].Opens("") {
		t.Errorf("on the device stands %+v, %v", on, err)
	}
	if err := luks.ResizePlain(t.Context(), m, path, "bootswain-data", 44<<20); err != nil {
		t.Fatal(err)
	}
	size, err := os.ReadFile(filepath.Join(sys, "block", on[0].Kernel, "size"))
	if err != nil || strings.TrimSpace(string(size)) != "90112" {
		t.Errorf("it has %s sectors, %v", size, err)
	}
	for range 2 {
		if err := luks.ClosePlain(t.Context(), m, "bootswain-data"); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func TestResize(t *testing.T) {
	m, path := formatted(t)
	if err := luks.Open(t.Context(), m, path, "bootswain-data", []byte("canary-key")); err != nil {
		t.Fatal(err)
	}
	if err := luks.Resize(t.Context(), m, "bootswain-data", []byte("another")); !errors.Is(err, luks.ErrWrongKey) {
		t.Errorf("a wrong key: %v", err)
	}
	if err := luks.Resize(t.Context(), m, "bootswain-data", []byte("canary-key")); err != nil {
		t.Error(err)
	}
	if all := strings.Join(m.Commands, "\n"); strings.Contains(all, "canary") {
		t.Errorf("the key is among the arguments: %s", all)
	}
}

func TestCryptsetupMissing(t *testing.T) {
	m, path := formatted(t)
	m.Missing("cryptsetup", true)
	if err := luks.Open(t.Context(), m, path, "x", nil); !errors.As(err, new(*run.MissingError)) {
		t.Errorf("got %v", err)
	}
}
