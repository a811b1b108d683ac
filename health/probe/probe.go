// Package probe asks applications, and looks at what they leave behind: over
// HTTP and TCP, by a program, by the age of a file, by the end of a certificate.
//
// What answers is not trusted: an answer is bounded in time and size, and only
// its first line, cleaned, is told. A program runs in a sandbox of systemd's,
// as nobody in particular. A file that cannot be read at all is no stale one and
// says so. Durations are as given; values are seconds, or days of a certificate.
package probe

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"

	"bootswain/health"
)

// maxAnswer is how much of an answer is read, maxLine how much of it is told, in
// bytes.
const (
	maxAnswer = 64 << 10
	maxLine   = 200
)

// Answer is what came of asking once.
type Answer struct {
	Status  health.Status
	Text    string // a sentence
	Value   *float64
	Unit    string
	Numbers map[string]float64 // that the application told of itself
}

func failed(text string) Answer { return Answer{Status: health.Fail, Text: text} }

// took is a passing answer and how long it took.
func took(d time.Duration, text string) Answer {
	seconds := d.Seconds()
	return Answer{Status: health.Pass, Text: text, Value: &seconds, Unit: "seconds"}
}

// HTTP asks a URL. 2xx passes.
func HTTP(ctx context.Context, url string) Answer {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return failed("cannot be asked: " + line(err.Error()) + ".")
	}
	r.Header.Set("User-Agent", "bootswain")
	transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxAnswer}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	began := time.Now()
	resp, err := client.Do(r)
	if err != nil {
		return failed("does not answer: " + line(err.Error()) + ".")
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return failed("does not end its answer: " + line(err.Error()) + ".")
	}
	if resp.StatusCode/100 != 2 {
		return failed(strings.TrimSuffix("answers "+line(resp.Status)+": "+line(string(body)), ": ") + ".")
	}
	return took(time.Since(began), "answers "+line(resp.Status)+".")
}

// TCP asks to be let in at host:port.
func TCP(ctx context.Context, address string) Answer {
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return failed("lets nobody in: " + line(err.Error()) + ".")
	}
	conn.Close()
	return took(time.Since(began), "lets in.")
}

// File passes while the file changed less than maxAge before now.
func File(path string, maxAge time.Duration, now time.Time) Answer {
	info, err := os.Stat(path)
	if err != nil {
		return failed("cannot be seen: " + line(err.Error()) + ".")
	}
	age := now.Sub(info.ModTime())
	a := took(age, path+" changed "+age.Round(time.Second).String()+" ago.")
	if age > maxAge {
		a.Status = health.Fail
		a.Text = path + " changed " + age.Round(time.Second).String() + " ago, at most " + maxAge.String() + " is asked for."
	}
	return a
}

// line is the first line of what somebody else wrote, bounded and without what a
// terminal would obey.
func line(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(text, ""))
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	return strings.TrimSpace(text)
}
