package corpus

import (
	"bytes"
	"fmt"
	"testing"
)

type disk []byte

func (d disk) WriteAt(b []byte, at int64) (int, error) { return copy(d[at:], b), nil }

// within takes what lies on a device of that size.
type within int64

func (w within) WriteAt(b []byte, at int64) (int, error) {
	if at < 0 || at+int64(len(b)) > int64(w) {
		return 0, fmt.Errorf("byte %d is not on it", at)
	}
	return len(b), nil
}

// TestPackAndBack keeps every byte, at both ends too.
func TestPackAndBack(t *testing.T) {
	content := make([]byte, 16<<10)
	content[0], content[5000], content[len(content)-1] = 1, 2, 3
	d := Device{Size: int64(len(content)), Made: "by hand", Wipefs: []byte(`{"signatures":[]}`)}
	var packed bytes.Buffer
	if err := d.Pack(&packed, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	back, err := unpack(packed.Bytes())
	if err != nil || back.Size != d.Size || back.Made != d.Made || string(back.Wipefs) != string(d.Wipefs) {
		t.Fatalf("%+v, %v", back, err)
	}
	got := make(disk, len(content))
	if err := back.WriteTo(got); err != nil || !bytes.Equal(got, content) {
		t.Errorf("other bytes, %v", err)
	}
}

// TestLoad reads each device, none of which has anything behind its end.
func TestLoad(t *testing.T) {
	for _, name := range Names() {
		d, err := Load(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := d.WriteTo(within(d.Size)); err != nil || d.Made == "" {
			t.Errorf("%s: %v, made %q", name, err, d.Made)
		}
	}
	if _, err := Load("none"); err == nil {
		t.Error("there is a device that is not there")
	}
}
