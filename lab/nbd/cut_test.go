package nbd

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/synctest"
)

// TestPowerLoss writes at random and then lets every sector be only what a
// drive may hold after its power failed: the flushed content or a later write.
func TestPowerLoss(t *testing.T) {
	const sectors = 64
	lost := 0
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d, err := Open(filepath.Join(t.TempDir(), "disk"), sectors*blockSize)
		if err != nil {
			t.Fatal(err)
		}
		may := make([][]byte, sectors) // what each sector may hold
		for i := range may {
			may[i] = []byte{0}
		}
		for i := range byte(40) {
			switch from, n := rng.IntN(sectors), 0; rng.IntN(12) {
			case 0:
				flush(t, d)
				for s := range may {
					may[s] = may[s][len(may[s])-1:]
				}
			default:
				n = 1 + rng.IntN(min(8, sectors-from))
				value := i + 1
				data := bytes.Repeat([]byte{value}, n*blockSize)
				if rng.IntN(5) == 0 {
					value, data = 0, nil
				}
				if err := d.write(context.Background(), int64(from*blockSize), int64(n*blockSize), data, false); err != nil {
					t.Fatal(err)
				}
				for s := from; s < from+n; s++ {
					may[s] = append(may[s], value)
				}
			}
		}
		loss, err := d.PowerLoss(rng)
		if err != nil {
			t.Fatal(err)
		}
		lost += loss.Dropped + loss.Torn
		content := make([]byte, sectors*blockSize)
		if _, err := d.ReadAt(content, 0); err != nil {
			t.Fatal(err)
		}
		for s := range may {
			sector := content[s*blockSize : (s+1)*blockSize]
			if bytes.Count(sector, sector[:1]) != blockSize || bytes.IndexByte(may[s], sector[0]) < 0 {
				t.Fatalf("seed %d: sector %d begins with %d, may be %d", seed, s, sector[0], may[s])
			}
		}
		d.Close()
	}
	if lost == 0 {
		t.Error("nothing was ever lost")
	}
}

func TestPowerLossIsTheSameForTheSameSeed(t *testing.T) {
	hashes := map[string]bool{}
	for range 2 {
		d, err := Open(filepath.Join(t.TempDir(), "disk"), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for i := range byte(30) {
			if err := d.write(context.Background(), int64(i)*1024, 2048, bytes.Repeat([]byte{i}, 2048), false); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.PowerLoss(rand.New(rand.NewPCG(3, 4))); err != nil {
			t.Fatal(err)
		}
		h, err := d.Hash()
		if err != nil {
			t.Fatal(err)
		}
		hashes[h] = true
		d.Close()
	}
	if len(hashes) != 1 {
		t.Error("two cuts with one seed left different disks")
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	for range 100 {
		c.add(record{n: 1 << 20, data: make([]byte, 1<<20)})
	}
	if c.bytes > cacheLimit || len(c.records) != cacheLimit>>20 {
		t.Errorf("%d bytes in %d records", c.bytes, len(c.records))
	}
}

func TestFrozenDiskTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := serve(t)
		Freeze(d)
		c.write(append(requestBytes(cmdWrite, 1, 0, 512), make([]byte, 512)...))
		synctest.Wait()
		if s := d.Stats(); s.Writes != 0 {
			t.Fatal("a frozen disk took a write")
		}
		Thaw(d)
		if _, errno := c.wait(1, cmdWrite, 512); errno != 0 {
			t.Errorf("after the thaw: error %d", errno)
		}
	})
}

func flush(t *testing.T, d *Disk) {
	t.Helper()
	if err := d.flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}
