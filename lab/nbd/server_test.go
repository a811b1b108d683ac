package nbd

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadsWhatWasWritten(t *testing.T) {
	_, c := serve(t)
	if c.size != 1<<20 {
		t.Fatalf("size %d", c.size)
	}
	data := bytes.Repeat([]byte{0xab}, 4096)
	for _, step := range []struct {
		typ  uint16
		off  int64
		data []byte
	}{{cmdWrite, 4096, data}, {cmdFlush, 0, nil}, {cmdWriteZeros, 4096, nil}} {
		n := int64(len(step.data))
		if step.typ == cmdWriteZeros {
			n = 512
		}
		if _, errno := c.do(step.typ, step.off, n, step.data); errno != 0 {
			t.Fatalf("request %d: error %d", step.typ, errno)
		}
	}
	got, _ := c.do(cmdRead, 0, 16384, nil)
	want := make([]byte, 16384)
	copy(want[4096+512:], data[512:])
	if !bytes.Equal(got, want) {
		t.Error("read other bytes than were written")
	}
}

func TestRefusesWhatIsOutside(t *testing.T) {
	_, c := serve(t)
	for _, r := range []struct{ off, n int64 }{{1 << 20, 512}, {1<<20 - 512, 1024}, {-512, 1024}, {0, 0}} {
		if _, errno := c.do(cmdRead, r.off, r.n, nil); errno != errnoInvalid {
			t.Errorf("read of %d at %d: error %d, not %d", r.n, r.off, errno, errnoInvalid)
		}
	}
	if _, errno := c.do(4, 0, 512, nil); errno != errnoInvalid {
		t.Errorf("trim, which is not offered: error %d", errno)
	}
}

func TestFaults(t *testing.T) {
	sector := make([]byte, 512)
	for _, tc := range []struct {
		name               string
		fault              Fault
		read, write, flush uint32
	}{
		{"none", Fault{}, 0, 0, 0},
		{"reads fail", Fault{ReadError: true}, errnoIO, 0, 0},
		{"writes fail", Fault{WriteError: true}, 0, errnoIO, errnoIO},
		{"slow", Fault{Delay: time.Minute}, 0, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, c := serve(t)
				d.SetFault(tc.fault)
				begin := time.Now()
				_, read := c.do(cmdRead, 0, 512, nil)
				_, write := c.do(cmdWrite, 0, 512, sector)
				_, flush := c.do(cmdFlush, 0, 0, nil)
				if read != tc.read || write != tc.write || flush != tc.flush {
					t.Errorf("read %d, write %d, flush %d", read, write, flush)
				}
				if took := time.Since(begin); took != 3*tc.fault.Delay {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestHangEndsWithTheFault(t *testing.T) {
	for _, tc := range []struct {
		after Fault
		errno uint32
	}{{Fault{}, 0}, {Fault{ReadError: true}, errnoIO}} {
		synctest.Test(t, func(t *testing.T) {
			d, c := serve(t)
			d.SetFault(Fault{Hang: true})
			c.write(requestBytes(cmdRead, 1, 0, 512))
			synctest.Wait()
			if s := d.Stats(); s.Reads != 0 {
				t.Fatalf("a hanging disk carried out %d reads", s.Reads)
			}
			d.SetFault(tc.after)
			if _, errno := c.wait(1, cmdRead, 512); errno != tc.errno {
				t.Errorf("error %d, not %d", errno, tc.errno)
			}
		})
	}
}

func TestUnknownVolumeIsRefused(t *testing.T) {
	var s Server
	script := append([]byte{0, 0, 0, 3}, optionBytes(optGo, goData("vol-2"))...)
	script = append(script, optionBytes(optAbort, nil)...)
	rw := &tape{in: bytes.NewReader(script)}
	d, _, err := s.negotiate(rw)
	if d != nil || err != nil {
		t.Fatalf("got %v, %v", d, err)
	}
	if !bytes.Contains(rw.out.Bytes(), []byte("no volume vol-2")) {
		t.Errorf("answered %q", rw.out.Bytes())
	}
}

// tape is a connection whose other end has said everything beforehand.
type tape struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (t *tape) Read(p []byte) (int, error)  { return t.in.Read(p) }
func (t *tape) Write(p []byte) (int, error) { return t.out.Write(p) }

func FuzzNegotiate(f *testing.F) {
	flags := []byte{0, 0, 0, 3}
	f.Add(append(flags, optionBytes(optGo, goData("vol-1", infoBlockSize))...))
	f.Add(append(flags, optionBytes(optStructuredReply, nil)...))
	f.Add(append([]byte{0, 0, 0, 1}, optionBytes(optExportName, []byte("vol-1"))...))
	f.Add(append(flags, optionBytes(optInfo, goData("vol-1"))...))
	f.Fuzz(func(t *testing.T, script []byte) {
		var s Server
		s.Add("vol-1", &Disk{size: 1 << 20})
		d, _, err := s.negotiate(&tape{in: bytes.NewReader(script)})
		if d != nil && err != nil {
			t.Errorf("a disk and an error: %v", err)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	f.Add(requestBytes(cmdRead, 1, 512, 1024))
	f.Add(requestBytes(cmdWrite, 1, -1, 1<<31))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRequest(b)
		if err == nil && (r.Type == cmdRead || r.Type == cmdWrite) && r.Length > maxPayload {
			t.Errorf("accepted a payload of %d bytes", r.Length)
		}
	})
}
