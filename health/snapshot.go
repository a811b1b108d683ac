package health

import (
	"os"
	"sync"
	"time"
)

// snapshot is what can be answered from one report: until the file is another,
// or a check gets too old to be believed.
type snapshot struct {
	file   os.FileInfo   // nil: there was none
	made   time.Duration // by the machine's uptime
	until  time.Duration
	report Report
	checks []Check // that of the daemon itself first
	bodies map[string][]byte
}

// source reads the report at path when it is asked for, and no more often than
// it changes: many who ask at once cost one reading. It may be used by several
// goroutines.
type source struct {
	path   string
	uptime func() time.Duration

	mu   sync.Mutex
	last snapshot
}

// current returns the report, empty if there is none, and its checks as they
// are to be believed now.
func (s *source) current() (Report, []Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	return s.last.report, s.last.checks
}

// body returns the answer of that name, made once for each snapshot, numbers and
// all if they are wanted, and its checks.
func (s *source) body(name string, numbers bool, from func(Report, []Check) []byte) ([]byte, []Check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh()
	body, made := s.last.bodies[name]
	if !made {
		report := s.last.report
		if numbers {
			report.Numbers = readNumbers(s.path, s.last.made)
		}
		body = from(report, s.last.checks)
		s.last.bodies[name] = body
	}
	return body, s.last.checks
}

func (s *source) refresh() {
	now := s.uptime()
	file, err := os.Stat(s.path)
	if l := s.last; err == nil && l.file != nil && os.SameFile(file, l.file) && file.Size() == l.file.Size() &&
		file.ModTime().Equal(l.file.ModTime()) && now >= l.made && now < l.until {
		return
	}
	next := snapshot{made: now, until: now + MaxAge, bodies: map[string][]byte{}}
	if err == nil {
		next.file = file
	}
	report, daemon := Latest(s.path, now)
	next.checks = []Check{daemon}
	if report != nil {
		next.report = *report
		// The report as a whole gets too old, too.
		next.until = report.Uptime + MaxAge
		for _, c := range report.Checks {
			if at := report.Uptime + c.Time.Sub(report.Time) + c.patience(); at > now {
				next.until = min(next.until, at)
			}
		}
		next.checks = append(next.checks, report.Checks...)
	}
	s.last = next
}
