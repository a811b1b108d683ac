package filesystem

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// sparseFile makes a file of zeros.
func sparseFile(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	return path
}

// put writes bytes into a file.
func put(t *testing.T, path string, offset int64, data ...byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(data, offset); err != nil {
		t.Fatal(err)
	}
}

func TestFirstData(t *testing.T) {
	const size = 2*span + 512
	for name, tt := range map[string]struct {
		data []int64
		want int64
	}{
		"blank":                     {nil, -1},
		"the first byte":            {[]int64{0}, 0},
		"inside a word":             {[]int64{4099}, 4099},
		"the first of several":      {[]int64{size - 1, span + 1, span + 70000}, span + 1},
		"the last before a span":    {[]int64{span - 1}, span - 1},
		"the last byte of the disk": {[]int64{size - 1}, size - 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := sparseFile(t, size)
			for _, at := range tt.data {
				put(t, path, at, 0x80)
			}
			got, err := FirstData(t.Context(), path, size, nil)
			if got != tt.want || err != nil {
				t.Errorf("FirstData() = %d, %v; want %d", got, err, tt.want)
			}
		})
	}
}

func TestDataAt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, append(make([]byte, 5000), 'x'), 0o600); err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int64]bool{0: false, 4999: false, 5000: true} {
		if got, err := DataAt(path, offset); err != nil || got != want {
			t.Errorf("DataAt(%d) = %v, %v; want %v", offset, got, err, want)
		}
	}
	_, err := DataAt(path, 5001)
	wantError(t, err, "at byte 5001")
}

func TestFirstDataErrors(t *testing.T) {
	path := sparseFile(t, span+512)
	_, err := FirstData(t.Context(), path, span+1024, nil)
	wantError(t, err, "it ends at byte 4194816, before its size of 4195328")
	_, err = FirstData(t.Context(), path, 0, nil)
	wantError(t, err, "its size is 0 bytes")
	_, err = FirstData(t.Context(), path+"2", span, nil)
	wantError(t, err, "cannot read all of "+path+"2: open")
	_, err = FirstData(t.Context(), t.TempDir(), span, nil)
	wantError(t, err, "is a directory")
	_, err = readSpan(unreadable{errors.New("input/output error")}, make([]byte, 512), 1024, 4096)
	wantError(t, err, "byte 1024 and on: input/output error")
}

func TestFirstDataStops(t *testing.T) {
	path := sparseFile(t, 3*span)
	ctx, cancel := context.WithCancel(t.Context())
	var seen []int64
	_, err := FirstData(ctx, path, 3*span, func(done, total int64) {
		if seen = append(seen, done); total != 3*span {
			t.Errorf("total is %d", total)
		}
		if done == 2*span {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(seen) != 2 || seen[0] != span {
		t.Errorf("FirstData() = %v after %v", err, seen)
	}
	wantError(t, err, "stopped at byte 8388608 of 12582912")
}

func TestFingerprint(t *testing.T) {
	const size = 64<<20 + 512
	ext4, gpt := Signature{Offset: 0x438, Type: "ext4", UUID: testUUID}, Signature{Offset: 0x200, Type: "gpt"}
	path := sparseFile(t, size)
	take := func(size int64, signatures ...Signature) string {
		t.Helper()
		got, err := Fingerprint(path, size, signatures)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	first := take(size, ext4, gpt)
	if want := "b1189a760aab"; first != want {
		t.Errorf("the fingerprint of the same content has become %s, was %s; released fingerprints no longer match", first, want)
	}
	if again := take(size, gpt, ext4); again != first {
		t.Errorf("the order of the signatures changes %s to %s", first, again)
	}
	seen := map[string]string{first: "the disk itself"}
	note := func(what, print string) {
		if other, twice := seen[print]; twice {
			t.Errorf("%s has the fingerprint of %s", what, other)
		}
		seen[print] = what
	}
	note("one signature less", take(size, ext4))
	note("another UUID", take(size, Signature{Offset: 0x438, Type: "ext4"}, gpt))
	note("a smaller disk", take(size-512, ext4, gpt))
	for what, at := range map[string]int64{"the first byte": 0, "the last byte": size - 1, "a sample": size / 15 &^ 4095, "the last sample": size/15*14&^4095 + sample - 1} {
		put(t, path, at, 1)
		note(what, take(size, ext4, gpt))
		put(t, path, at, 0)
	}
	if again := take(size, ext4, gpt); again != first {
		t.Errorf("the same content gives %s and %s", first, again)
	}
}

func TestFingerprintOfSmallDisk(t *testing.T) {
	path := sparseFile(t, 1<<20+512)
	before, err := Fingerprint(path, 1<<20+512, nil)
	if err != nil {
		t.Fatal(err)
	}
	put(t, path, 1<<20+511, 1)
	if after, err := Fingerprint(path, 1<<20+512, nil); err != nil || after == before {
		t.Errorf("Fingerprint() = %s, %v; was %s", after, err, before)
	}
	_, err = Fingerprint(path, 4<<20, nil)
	wantError(t, err, "cannot take the fingerprint of "+path+": it ends at byte")
}
