// Package corpus holds what is on devices that people put to another use: file
// systems, partition tables, members of arrays and of pools, encrypted volumes.
// It is for tests only.
//
// The bytes were made by the tools of Debian 13 or, where none makes them
// without a kernel module, by hand from the format's description; make, beside
// this file, makes all of them anew. Offsets and sizes are bytes.
package corpus

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

//go:embed testdata/*.gz
var files embed.FS

// Device is what is on one device.
type Device struct {
	Size   int64           // of the device; some formats mark its end
	Made   string          // the command that wrote it, or the description it was written by
	Wipefs json.RawMessage // what wipefs of Debian 13 finds: --json --no-act

	extents []byte
}

// block is what is told apart: all zero, or not.
const block = 512

// Names returns the names of all devices, sorted.
func Names() []string {
	found, err := files.ReadDir("testdata")
	if err != nil {
		panic(err) // embedded files are always there
	}
	var names []string
	for _, f := range found {
		names = append(names, strings.TrimSuffix(f.Name(), ".gz"))
	}
	slices.Sort(names)
	return names
}

// Load returns the device of that name.
func Load(name string) (*Device, error) {
	packed, err := files.ReadFile(path.Join("testdata", name+".gz"))
	if err != nil {
		return nil, err
	}
	return unpack(packed)
}

func unpack(packed []byte) (*Device, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	head, extents, _ := bytes.Cut(b, []byte{'\n'})
	d := &Device{extents: extents}
	return d, json.Unmarshal(head, d)
}

// WriteTo writes what is not zero.
func (d *Device) WriteTo(w io.WriterAt) error {
	for b := d.extents; len(b) > 0; {
		at, n := int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])
		if _, err := w.WriteAt(b[16:16+n], at); err != nil {
			return err
		}
		b = b[16+n:]
	}
	return nil
}

// Pack writes a device of which r is the content, as Load reads it.
func (d *Device) Pack(w io.Writer, r io.ReaderAt) error {
	head, err := json.Marshal(d)
	if err != nil {
		return err
	}
	out := bytes.NewBuffer(append(head, '\n'))
	if err := d.pack(out, r); err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = out.WriteTo(z)
	return errors.Join(err, z.Close())
}

// pack appends the runs of blocks that are not all zero: offset, length, bytes.
func (d *Device) pack(out *bytes.Buffer, r io.ReaderAt) error {
	buf, zeros := make([]byte, block), make([]byte, block)
	var run []byte
	end := func(at int64) {
		if len(run) > 0 {
			out.Write(binary.BigEndian.AppendUint64(nil, uint64(at-int64(len(run)))))
			out.Write(binary.BigEndian.AppendUint64(nil, uint64(len(run))))
			out.Write(run)
			run = nil
		}
	}
	for at := int64(0); at < d.Size; at += block {
		if _, err := r.ReadAt(buf, at); err != nil {
			return fmt.Errorf("at byte %d: %w", at, err)
		}
		if bytes.Equal(buf, zeros) {
			end(at)
			continue
		}
		run = append(run, buf...)
	}
	end(d.Size)
	return nil
}
