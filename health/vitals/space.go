package vitals

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"

	"bootswain/health"
	"bootswain/internal/situation"
)

const (
	trendEvery = 5 * time.Minute
	trendOver  = 6 * time.Hour
	trendLeast = 30 * time.Minute // what is seen for less is no trend
)

// Place is a mounted file system to look after.
type Place struct {
	Path     string // where it is mounted
	ReadOnly bool   // as asked for
}

// Room is the look at a place: how full it is, and whether it is sound.
func Room(h Host, p Place) Look {
	s := &space{host: h, place: p, wasFree: p.Path != "/"}
	return Look{Key: fmt.Sprint("room ", p), Check: "space:" + p.Path, See: func(_ context.Context, now time.Time) Seen { return s.look(now) }}
}

// space is the room of one place.
type space struct {
	host    Host
	place   Place
	wasFree bool // it could be written to; of a volume that is known beforehand
	taken   []taken
}

// taken is how much was taken at one moment, in bytes.
type taken struct {
	at   time.Time
	used float64
}

func (p *space) look(now time.Time) Seen {
	var s Seen
	path := p.place.Path
	if m := p.mount(); m != nil {
		s.Checks = append(s.Checks, p.writable(m, now))
		if c, there := p.errors(m, now); there {
			s.Checks = append(s.Checks, c)
		}
	}
	// A disk that is dead may keep this call for ever: all checks of this place
	// get old then.
	st, err := p.host.Statfs(path)
	if err != nil {
		s.Checks = append(s.Checks, health.Check{Name: "space:" + path, Status: health.Fail, Time: now, Quiet: true, Sentence: health.Sentence{
			Word: situation.Failed, Subject: path, Text: "does not say how full it is: " + err.Error() + ".", Next: "the file system or its disk is broken: dmesg"}})
		return s
	}
	unit := float64(st.Bsize)
	used, free := float64(st.Blocks-st.Bfree)*unit, float64(st.Bavail)*unit
	if used+free <= 0 {
		return s
	}
	share := 100 * used / (used + free)
	s.Checks = append(s.Checks, Measured("space", path, share, fmt.Sprintf("%.0f%% taken, %s free.", share, size(free)), now))
	if st.Files > 0 {
		inodes := 100 * float64(st.Files-st.Ffree) / float64(st.Files)
		s.Checks = append(s.Checks, Measured("inodes", path, inodes, fmt.Sprintf("%.0f%% of its files taken.", inodes), now))
	}
	p.remember(now, used)
	if left, known := p.left(free); known {
		s.Checks = append(s.Checks, Measured("full-in", path, left.Hours(), "full in "+about(left)+" if it goes on as in the last hours.", now))
	}
	s.add("bootswain_filesystem_free_bytes", health.Gauge, "Room that is left for programs.", "path", labelled{path, free})
	s.add("bootswain_filesystem_used_bytes", health.Gauge, "Room that is taken.", "path", labelled{path, used})
	s.add("bootswain_filesystem_files", health.Gauge, "Files that there can be.", "path", labelled{path, float64(st.Files)})
	s.add("bootswain_filesystem_files_free", health.Gauge, "Files that can still be made.", "path", labelled{path, float64(st.Ffree)})
	return s
}

// mount is what is mounted on the place, or nil.
func (p *space) mount() *mountinfo.Info {
	f, err := os.Open(filepath.Join(p.host.Proc, "self", "mountinfo"))
	if err != nil {
		return nil
	}
	defer f.Close()
	infos, err := mountinfo.GetMountsFromReader(f, mountinfo.SingleEntryFilter(p.place.Path))
	if err != nil || len(infos) == 0 {
		return nil
	}
	return infos[len(infos)-1]
}

// writable fails for what became read-only, which is how ext4 answers errors.
// Where the root was never anything else, that is how it is meant; how a volume is
// meant says what was asked for, and a restart in the meantime excuses nothing.
func (p *space) writable(m *mountinfo.Info, now time.Time) health.Check {
	readOnly := slices.Contains(strings.Split(m.Options, ","), "ro") || slices.Contains(strings.Split(m.VFSOptions, ","), "ro")
	p.wasFree = p.wasFree || !readOnly
	c := health.Check{Name: "writable:" + p.place.Path, Status: health.Pass, Time: now, Quiet: true,
		Sentence: health.Sentence{Word: situation.Ready, Subject: p.place.Path, Text: "can be written to."}}
	switch {
	case readOnly && p.wasFree && !p.place.ReadOnly:
		c.Status = health.Fail
		c.Sentence = health.Sentence{Word: situation.Failed, Subject: p.place.Path, Text: "became read-only.",
			Next: "see why: dmesg; if the file system is sound, mount -o remount,rw " + p.place.Path}
	case readOnly:
		c.Sentence.Text = "is read-only, as it is meant to be."
	}
	return c
}

// errors is what ext4 counts; other file systems count nothing.
func (p *space) errors(m *mountinfo.Info, now time.Time) (c health.Check, there bool) {
	if m.FSType != "ext4" {
		return c, false
	}
	device, err := os.Readlink(filepath.Join(p.host.Sys, "dev", "block", fmt.Sprintf("%d:%d", m.Major, m.Minor)))
	if err != nil {
		return c, false
	}
	b, err := os.ReadFile(filepath.Join(p.host.Sys, "fs", "ext4", filepath.Base(device), "errors_count"))
	if err != nil {
		return c, false
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(b)), 64)
	if err != nil {
		return c, false
	}
	c = health.Check{Name: "errors:" + p.place.Path, Status: health.Pass, Time: now, Value: &n, Unit: "errors", Quiet: true,
		Sentence: health.Sentence{Word: situation.Ready, Subject: p.place.Path, Text: "no errors noted in the file system."}}
	if n > 0 {
		c.Status = health.Warn
		c.Sentence = health.Sentence{Word: situation.Degraded, Subject: p.place.Path, Text: fmt.Sprintf("the file system has noted errors: %.0f.", n),
			Next: "take it down and check it: e2fsck -f; then see dmesg for the disk's part in it"}
	}
	return c, true
}

// remember keeps a moment every trendEvery of the last trendOver.
func (p *space) remember(now time.Time, used float64) {
	if n := len(p.taken); n == 0 || now.Sub(p.taken[n-1].at) >= trendEvery {
		p.taken = append(p.taken, taken{now, used})
	}
	for len(p.taken) > 1 && now.Sub(p.taken[0].at) > trendOver {
		p.taken = p.taken[1:]
	}
}

// left is the time until free is gone by the straight line that fits what is
// remembered best. It is unknown where nothing grows.
func (p *space) left(free float64) (left time.Duration, known bool) {
	n := len(p.taken)
	if n < 2 || p.taken[n-1].at.Sub(p.taken[0].at) < trendLeast {
		return 0, false
	}
	var sumX, sumY, sumXX, sumXY float64
	for _, t := range p.taken {
		x := t.at.Sub(p.taken[0].at).Seconds()
		y := t.used - p.taken[0].used
		sumX, sumY, sumXX, sumXY = sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	count := float64(n)
	slope := (count*sumXY - sumX*sumY) / (count*sumXX - sumX*sumX) // bytes a second
	const century = 100 * 365 * 24 * time.Hour
	if slope <= 0 || free/slope > century.Seconds() {
		return 0, false
	}
	return time.Duration(free / slope * float64(time.Second)), true
}

// about is a time that is only guessed.
func about(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("about %.0f days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("about %.0f hours", d.Hours())
	}
	return fmt.Sprintf("about %.0f minutes", d.Minutes())
}
