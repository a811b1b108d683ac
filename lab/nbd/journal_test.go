package nbd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// TestRestore writes to two disks at random, and puts them back to every moment
// of it: every sector is only what a drive may hold after a power cut then.
func TestRestore(t *testing.T) {
	const sectors = 16
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		disks := []*Disk{blankDisk(t, sectors*blockSize), blankDisk(t, sectors*blockSize)}
		j, err := Record(disks...)
		if err != nil {
			t.Fatal(err)
		}
		may := [][][]byte{{}, {}} // by disk and sector, what it may hold now
		for d := range disks {
			for range sectors {
				may[d] = append(may[d], []byte{0})
			}
		}
		var moments [][][][]byte
		note := func() {
			now := [][][]byte{{}, {}}
			for d := range may {
				for _, values := range may[d] {
					now[d] = append(now[d], bytes.Clone(values))
				}
			}
			moments = append(moments, now)
		}
		note()
		for i := range byte(30) {
			d := rng.IntN(2)
			if rng.IntN(6) == 0 {
				flush(t, disks[d])
				for s := range may[d] {
					may[d][s] = may[d][s][len(may[d][s])-1:]
				}
			} else {
				from := rng.IntN(sectors)
				n := 1 + rng.IntN(sectors-from)
				data := bytes.Repeat([]byte{i + 1}, n*blockSize)
				if err := disks[d].write(context.Background(), int64(from*blockSize), int64(n*blockSize), data, false); err != nil {
					t.Fatal(err)
				}
				for s := from; s < from+n; s++ {
					may[d][s] = append(may[d][s], i+1)
				}
			}
			note()
		}
		j.End()
		for at, now := range moments {
			if _, err := j.Restore(at, rng); err != nil {
				t.Fatal(err)
			}
			for d := range disks {
				content := make([]byte, sectors*blockSize)
				if _, err := disks[d].ReadAt(content, 0); err != nil {
					t.Fatal(err)
				}
				for s := range now[d] {
					sector := content[s*blockSize : (s+1)*blockSize]
					if bytes.Count(sector, sector[:1]) != blockSize || bytes.IndexByte(now[d][s], sector[0]) < 0 {
						t.Fatalf("seed %d, moment %d: sector %d of disk %d begins with %d, may be %d", seed, at, s, d, sector[0], now[d][s])
					}
				}
			}
		}
	}
}

// TestResume: what was written after the end of a recording is gone when it goes
// on, on a disk that is larger now.
func TestResume(t *testing.T) {
	d := blankDisk(t, 2*blockSize)
	j, err := Record(d)
	if err != nil {
		t.Fatal(err)
	}
	write := func(sector int64, letter string) {
		if err := d.write(context.Background(), sector*blockSize, blockSize, bytes.Repeat([]byte(letter), blockSize), false); err != nil {
			t.Fatal(err)
		}
	}
	write(0, "a")
	j.End()
	write(0, "b")
	write(1, "b")
	if err := errors.Join(j.Resume(), d.Grow(3*blockSize)); err != nil {
		t.Fatal(err)
	}
	write(2, "c")
	flush(t, d)
	j.End()
	if _, err := j.Restore(j.Len(), rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
	content := make([]byte, d.Size())
	if _, err := d.ReadAt(content, 0); err != nil {
		t.Fatal(err)
	}
	if got := string([]byte{content[0], content[blockSize], content[2*blockSize]}); got != "a\x00c" || j.Len() != 3 {
		t.Errorf("the sectors begin with %q, after %d events", got, j.Len())
	}
	if err := d.Grow(blockSize); err == nil || err.Error() != "cannot make a volume of 1536 bytes one of 512" {
		t.Errorf("Grow() = %v", err)
	}
}

func blankDisk(t *testing.T, size int64) *Disk {
	t.Helper()
	d, err := Open(filepath.Join(t.TempDir(), "disk"), size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestMarks(t *testing.T) {
	d := blankDisk(t, 1<<20)
	j, err := Record(d)
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	d.Tell(func(b []byte) { heard = append(heard, string(b[:3])); j.Mark("told") })
	j.Mark("begin")
	if err := d.write(context.Background(), 512, 512, []byte(strings.Repeat("abc ", 128)), false); err != nil {
		t.Fatal(err)
	}
	flush(t, d)
	if _, err := j.Restore(1, nil); err == nil || err.Error() != "cannot restore disks that are still recorded" {
		t.Errorf("Restore() = %v", err)
	}
	j.End()
	j.Mark("too late")
	if got := fmt.Sprint(j.Marks(), heard, j.Len()); got != "[{0 begin} {2 told}] [abc] 4" {
		t.Error(got)
	}
	if _, err := Record(d); err == nil || err.Error() != "cannot record a disk that holds data at byte 0 already" {
		t.Errorf("Record() = %v", err)
	}
}
