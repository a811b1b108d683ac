package image

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

const (
	window = 256 << 10 // what is looked at at once
	shared = 4 << 10   // by two windows that follow each other; more than any rule spans
	sniff  = 8000      // a file with a zero byte in so many is binary, as git has it
)

// luksMagic begins every LUKS header: cryptsetup's on-disk format, versions 1 and 2.
var luksMagic = []byte("LUKS\xba\xbe")

// scanner reads one file after another and keeps what it found.
type scanner struct {
	buf      []byte
	findings []Finding
}

func newScanner() *scanner { return &scanner{buf: make([]byte, window)} }

// file looks at the file that is at path here and at inside in the image. partly
// says that not all of it was read.
func (s *scanner) file(path, inside string) (partly bool, err error) {
	f, err := open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var rules []rule
	for _, p := range placesOf(inside) {
		if p.re != nil {
			rules = append(rules, p.rule)
			continue
		}
		if info, err := f.Stat(); err == nil && info.Size() > 0 {
			s.findings = append(s.findings, Finding{Path: inside, What: p.what, Own: p.own})
			return false, nil // one word about the file is enough
		}
	}
	if personal(inside) {
		rules = append(rules, address)
	}
	return s.content(f, inside, append(rules, contents...))
}

// content looks at what r gives, window by window.
func (s *scanner) content(r io.Reader, inside string, rules []rule) (partly bool, err error) {
	var (
		have  int              // bytes of the window
		line  = 1              // of its first byte
		past  int              // bytes before it
		known = map[int]bool{} // lines of findings: the first rule speaks
	)
	for past < MaxRead {
		n, err := io.ReadFull(r, s.buf[have:])
		have += n
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return false, err
		}
		w := s.buf[:have]
		if past == 0 && bytes.HasPrefix(w, luksMagic) {
			s.findings = append(s.findings, Finding{Path: inside, What: "the header of an encrypted volume"})
			return false, nil
		}
		if past == 0 && bytes.IndexByte(w[:min(have, sniff)], 0) >= 0 {
			return false, nil
		}
		for _, rule := range rules {
			for _, m := range rule.find(w) {
				if at := line + bytes.Count(w[:m.at], []byte("\n")); !known[at] {
					known[at] = true
					s.findings = append(s.findings, Finding{Path: inside, Line: at, What: m.what})
				}
			}
		}
		if ended {
			return false, nil
		}
		// The last piece is looked at again together with what follows it, but
		// not from within a line that was looked at as a whole.
		keep := have - shared
		if cut := bytes.LastIndexByte(w[:keep], '\n') + 1; cut > keep-shared {
			keep = cut
		}
		line += bytes.Count(w[:keep], []byte("\n"))
		have = copy(s.buf, w[keep:])
		past += keep
	}
	return true, nil
}

// personal tells whether people or their programs write here, not packages.
func personal(inside string) bool {
	for _, dir := range []string{"/etc/", "/home/", "/root/", "/srv/", "/opt/", "/usr/local/", "/var/www/"} {
		if strings.HasPrefix(inside, dir) {
			return true
		}
	}
	return false
}
