package health

import (
	"strings"
	"testing"
	"time"

	"bootswain/internal/situation"
)

var healthy = Check{Name: "daemon", Status: Pass}

func show(t *testing.T, r Report, daemon Check, v View) string {
	t.Helper()
	var b strings.Builder
	if err := Text(&b, r, daemon, v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	want := `READY data: mounted on /srv/data
WAITING logs: 1 of 2 volumes; vol-0a44 missing 7m
  next: nothing; continues by itself

data  /srv/data  xfs
└─ luks  bootswain-data  aes-xts-plain64
   └─ raid0  /dev/md127  clean
      ├─ vol-0a11  /dev/nvme1n1  4 GiB
      └─ vol-0a22  /dev/nvme2n1  4 GiB
   databases of mariadb: /var/lib/mysql

logs  /srv/logs (not mounted)
├─ vol-0a33  /dev/nvme3n1  1.5 GiB
└─ vol-0a44  missing
`
	if got := show(t, sample(), healthy, View{}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextOfASilentDaemon(t *testing.T) {
	_, daemon := Latest("/nonexistent/status.json", 0)
	want := "FAILED daemon: no news since the machine started\n  next: journalctl -b -u bootswain\n"
	if got := show(t, Report{}, daemon, View{}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTextColour(t *testing.T) {
	got := show(t, sample(), healthy, View{Colour: true})
	for _, want := range []string{"\x1b[1;32mREADY\x1b[0m data: ", "\x1b[1;33mWAITING\x1b[0m logs: ", "\n  next: nothing"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(show(t, sample(), healthy, View{}), "\x1b") {
		t.Error("colour without a terminal")
	}
}

func TestSentencesOnce(t *testing.T) {
	s := &situation.Situation{Word: situation.Failed, Subject: "data", Text: "vol-0a33 lost"}
	checks := []Check{CheckOf("volume:data", s, noon), CheckOf("md:data", s, noon), CheckOf("mount:data", s, noon)}
	if got := Sentences(checks); got != "FAILED data: vol-0a33 lost\n" {
		t.Errorf("said %q", got)
	}
}

func TestBars(t *testing.T) {
	at := func(name string, from, long time.Duration) Step {
		return Step{Name: name, Start: noon.Add(from), Duration: long}
	}
	steps := []Step{at("launch", 0, time.Second), at("mdadm", time.Second, 2*time.Second), at("mount", 3*time.Second, 10*time.Millisecond), at("late", 9*time.Second, time.Second)}
	want := `launch    1.00s ██
mdadm     2.00s   ████
mount     0.01s       █
late      1.00s                   ██
`
	if got := Bars(steps, 37); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for line := range strings.Lines(Bars(steps, 40)) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 40 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	steps[0].Name = "create array data on vol-0a11, vol-0a22"
	if got := Bars(steps[:1], 60); got != "create array data on vol-0a11…    1.00s "+strings.Repeat("█", 19)+"\n" {
		t.Errorf("a long name: %q", got)
	}
	steps[0].Name = "launch"
	if got := Bars(steps[:1], 0); !strings.HasPrefix(got, "launch    1.00s █") {
		t.Errorf("one step: %q", got)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "", -1: "", 512: "512 B", 1024: "1 KiB", 1536 << 20: "1.5 GiB", 4 << 30: "4 GiB", 16 << 40: "16 TiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
