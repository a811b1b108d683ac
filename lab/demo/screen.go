package demo

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Screen is where a demonstration is shown. On a terminal a line at the bottom
// says what is waited for; elsewhere a line is added now and then.
type Screen struct {
	out   io.Writer
	fd    int // -1: no terminal
	began time.Time

	mu      sync.Mutex
	rest    []byte // of a line that is not whole yet
	waiting *waiting
}

type waiting struct {
	what, detail string
	since        time.Time
}

const indent = "  "

// NewScreen starts the clock.
func NewScreen(out io.Writer) *Screen {
	s := &Screen{out: out, fd: -1, began: time.Now()}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.fd = int(f.Fd())
	}
	return s
}

// width is how many columns there are for text, or 0 if this is no terminal.
func (s *Screen) width() int {
	if s.fd < 0 {
		return 0
	}
	w, _, err := term.GetSize(s.fd)
	if err != nil || w < 40 {
		w = 80
	}
	return w - len(indent)
}

// Title begins a scene, with the time since the beginning.
func (s *Screen) Title(title string) {
	s.print("\n" + s.paint("1", fmt.Sprintf("[%s] %s", clock(time.Since(s.began)), title)) + "\n")
}

// Line prints a line.
func (s *Screen) Line(format string, args ...any) {
	s.print(indent + fmt.Sprintf(format, args...) + "\n")
}

// Pass prints what was seen and is as expected.
func (s *Screen) Pass(format string, args ...any) {
	s.Line("%s  %s", s.paint("32", "ok"), fmt.Sprintf(format, args...))
}

// Block prints several lines.
func (s *Screen) Block(text string) {
	for line := range strings.Lines(text) {
		s.Line("%s", strings.TrimRight(line, "\n"))
	}
}

// Write prints progress, whole lines only.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.rest = append(s.rest, p...)
	end := bytes.LastIndexByte(s.rest, '\n') + 1
	text := string(s.rest[:end])
	s.rest = s.rest[end:]
	s.mu.Unlock()
	s.Block(text)
	return len(p), nil
}

// Wait shows that something is waited for while do runs. do tells how far it
// is.
func (s *Screen) Wait(what string, do func(tell func(string)) error) error {
	s.mu.Lock()
	s.waiting = &waiting{what: what, since: time.Now()}
	s.mu.Unlock()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.tick(end)
	}()
	err := do(func(detail string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting.detail = detail
	})
	close(end)
	<-ended
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	s.waiting = nil
	return err
}

func (s *Screen) tick(end <-chan struct{}) {
	every := time.Second
	if s.fd < 0 {
		every = 20 * time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-end:
			return
		case <-ticker.C:
			s.mu.Lock()
			s.wipe()
			s.draw()
			s.mu.Unlock()
		}
	}
}

// print puts text above the line at the bottom.
func (s *Screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	fmt.Fprint(s.out, text)
	if s.fd >= 0 {
		s.draw()
	}
}

// wipe removes the line at the bottom.
func (s *Screen) wipe() {
	if s.fd >= 0 && s.waiting != nil {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

// draw says what is waited for.
func (s *Screen) draw() {
	w := s.waiting
	if w == nil {
		return
	}
	line := fmt.Sprintf("%s waiting for %s", clock(time.Since(w.since)), w.what)
	if w.detail != "" {
		line += "; " + w.detail
	}
	first, _, _ := strings.Cut(line, "\n")
	if s.fd < 0 {
		fmt.Fprintln(s.out, indent+"...  "+first)
		return
	}
	columns := []rune(first)
	columns = columns[:min(len(columns), s.width()-1)]
	fmt.Fprint(s.out, indent+s.paint("2", string(columns)))
}

func (s *Screen) paint(colour, text string) string {
	if s.fd < 0 {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// clock writes a duration as minutes and seconds.
func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}
