package agent

import (
	"context"
	"io"
	"os"
	"strings"
	"time"

	"bootswain/internal/run"
	"bootswain/mysql"
)

// errorLogs are where the packages' servers write if not to the journal:
// Debian's and Ubuntu's MySQL, Oracle's and Percona's, MariaDB's on RHEL.
var errorLogs = []string{"/var/log/mysql/error.log", "/var/log/mysqld.log", "/var/log/mariadb/mariadb.log"}

const (
	logTail      = 64 << 10 // bytes; a start writes less than half of it
	journalLines = "400"
	journalLimit = 10 * time.Second

	// unsureAfter is how long a start takes before it is told of as a repair though
	// the log does not say so.
	unsureAfter = time.Minute
)

// recovering reads how far a server that starts has come with the repair of its
// files; nil if it does not repair them, or does not say.
func (a *Agent) recovering(ctx context.Context, unit string, since time.Time) *mysql.Recovery {
	r := a.readLogs(ctx, unit, since)
	if r == nil || !r.Sure && time.Since(since) < unsureAfter {
		return nil
	}
	return r
}

func (a *Agent) readLogs(ctx context.Context, unit string, since time.Time) *mysql.Recovery {
	out, err := a.run.Run(ctx, run.Cmd{Name: "journalctl", Timeout: journalLimit, Args: []string{
		"--boot", "--unit=" + unit, "--output=cat", "--lines=" + journalLines, "--no-pager", "--quiet"}})
	if err == nil {
		if r := mysql.ReadRecovery(string(out)); r != nil {
			return r
		}
	}
	for _, path := range errorLogs {
		if modified(path).Before(since) {
			continue // of another start
		}
		if r := mysql.ReadRecovery(tail(path)); r != nil {
			return r
		}
	}
	return nil
}

// tail returns the last whole lines of a log; "" if there is none.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err != nil || end <= logTail {
		_, err = f.Seek(0, io.SeekStart)
		if err != nil {
			return ""
		}
	} else if _, err := f.Seek(-logTail, io.SeekEnd); err != nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(f, logTail))
	if err != nil {
		return ""
	}
	_, whole, _ := strings.Cut("\n"+string(text), "\n")
	return whole
}
