package conformance

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"bootswain/lab/image"
)

// TestSeed has a kernel mount disks with a NoCloud seed, one of each file system.
func TestSeed(t *testing.T) {
	var seeds []image.MicroDisk
	for _, kind := range []string{"iso9660", "vfat"} {
		seeds = append(seeds, image.MicroDisk{File: unpacked(t, "../../launch/testdata/cidata-"+kind+".gz"), Serial: "cidata-" + kind})
	}
	inGuestOf(t, "bootswain/launch", image.MicroRun{Disks: seeds, Args: []string{"-test.run=^TestSeedOnRealDisks$", "-test.v", "-seeds=2"}})
}

func unpacked(t *testing.T, name string) string {
	t.Helper()
	packed, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "disk")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, z); err != nil {
		t.Fatal(err)
	}
	return file
}
