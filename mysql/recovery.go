package mysql

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Recovery is how far a server has come with the repair of its own files after
// a crash, as its log says.
type Recovery struct {
	Percent int           // of the redo log, or of this batch of it; -1: the log does not say
	Batch   int           // MySQL goes in batches whose number nobody knows; 0: one measure for all
	For     time.Duration // since it began, by the log's own times
	Left    time.Duration // estimated; 0: cannot be
	Sure    bool          // the log says that it repairs; else only that InnoDB starts
}

// String says how far: "InnoDB redo 62 %, about 4m".
func (r Recovery) String() string {
	text := "InnoDB takes long to start, as after a crash"
	switch {
	case r.Percent >= 0:
		text = fmt.Sprintf("InnoDB redo %d %%", r.Percent)
	case r.Sure:
		text = "InnoDB reads its redo log"
	}
	if r.Batch > 1 {
		text += fmt.Sprintf(" of batch %d", r.Batch)
	}
	if r.Left > 0 {
		text += ", about " + roughly(r.Left)
	}
	return text
}

// roughly is a duration as one says it: "40s", "4m", "2h".
func roughly(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%ds", max(int(d.Seconds()), 1))
	case d < 90*time.Minute:
		return fmt.Sprintf("%dm", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%dh", int(d.Round(time.Hour).Hours()))
}

// What MariaDB 10.11 to 11.8 and MySQL 8.4 to 9.7 write; the latter only with
// log_error_verbosity=3, except that InnoDB begins and ends.
var (
	logBegin   = regexp.MustCompile(`starting as process|Starting MariaDB|source revision .* as process`)
	logEnd     = regexp.MustCompile(`ready for connections|InnoDB initialization has ended|Shutdown complete|\[ERROR\].* Aborting`)
	logInnoDB  = regexp.MustCompile(`\[MY-013576\]`)
	logFrom    = regexp.MustCompile(`Starting crash recovery(?: from checkpoint LSN=(\d{1,19}))?`)
	logTo      = regexp.MustCompile(`End of log at LSN=(\d{1,19})`)
	logAt      = regexp.MustCompile(`To recover: LSN (\d{1,19})/(\d{1,19})`)
	logPages   = regexp.MustCompile(`To recover: \d+ pages`)
	logBatch   = regexp.MustCompile(`Applying a batch of (\d{1,19}) redo log records`)
	logPercent = regexp.MustCompile(`\[MY-012533\] \[InnoDB\] (\d{1,3})%`)
	logTime    = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[ T]+(\d{1,2}:\d\d:\d\d)`)
)

// longestRecovery is how long one may take for its times to be believed.
const longestRecovery = 7 * 24 * time.Hour

// ReadRecovery reads the end of a server's log. It is nil unless the last start
// in it is repairing.
func ReadRecovery(log string) *Recovery {
	var r *Recovery
	var from, to uint64
	var began, last time.Time
	done := 0.0
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		if t, ok := timeOf(line); ok {
			last = t
		}
		switch {
		case logBegin.MatchString(line), logEnd.MatchString(line):
			r, from, to, done = nil, 0, 0, 0
		case r == nil && logInnoDB.MatchString(line):
			r, began = &Recovery{Percent: -1}, last
		case logFrom.MatchString(line):
			if r == nil {
				began = last
			}
			r, from = &Recovery{Percent: -1, Sure: true}, lsn(logFrom.FindStringSubmatch(line)[1])
		case r == nil:
		case logTo.MatchString(line):
			to = lsn(logTo.FindStringSubmatch(line)[1])
		case logAt.MatchString(line):
			m := logAt.FindStringSubmatch(line)
			at := lsn(m[1])
			if to = lsn(m[2]); from < to && from <= at && at <= to {
				done = float64(at-from) / float64(to-from)
				r.Percent = int(100 * done)
			}
		case logPages.MatchString(line) && to > 0:
			r.Percent, done = 99, 0 // pages take longer than their part of the log says
		case logBatch.MatchString(line):
			r.Batch, r.Percent = r.Batch+1, 0
			began, done = last, 0
		case logPercent.MatchString(line):
			n, _ := strconv.Atoi(logPercent.FindStringSubmatch(line)[1])
			r.Percent = min(n, 100)
			done = float64(r.Percent) / 100
		}
	}
	if r == nil {
		return nil
	}
	if r.For = last.Sub(began); r.For < 0 || r.For > longestRecovery {
		r.For = 0 // the clock was set meanwhile
	}
	if done > 0.02 && r.For >= 2*time.Second {
		r.Left = time.Duration(float64(r.For) * (1 - done) / done)
	}
	return r
}

// lsn is a place in the redo log, in bytes.
func lsn(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// timeOf is when a line was written. Only differences are taken, so that its
// zone does not matter.
func timeOf(line string) (time.Time, bool) {
	m := logTime.FindStringSubmatch(line)
	if m == nil {
		return time.Time{}, false
	}
	t, err := time.Parse("2006-01-02 15:04:05", m[1]+" "+m[2])
	return t, err == nil
}
