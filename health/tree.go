package health

import (
	"fmt"
	"html"
	"strings"
)

// branch is one line of a volume's tree.
type branch struct {
	depth int
	last  bool // of its siblings
	parts []string
	lost  bool // it is not there, or not whole
}

// branches are a volume from its mount down to its devices.
func branches(v Volume) []branch {
	place := or(v.Mount, "no mount point")
	if !v.Mounted {
		place += " (not mounted)"
	}
	fs := ""
	if v.FS != nil {
		fs = v.FS.Type
	}
	all := []branch{{parts: there(v.Name, place, fs)}}
	under := func(lost bool, parts ...string) {
		all = append(all, branch{depth: all[len(all)-1].depth + 1, last: true, parts: there(parts...), lost: lost})
	}
	switch {
	case v.LUKS != nil:
		under(false, "luks", v.LUKS.Name, v.LUKS.Cipher, v.LUKS.Keys)
	case v.Key == "none" && v.Mounted:
		under(false, "not encrypted")
	}
	if v.RAID != nil {
		under(v.RAID.State == "broken", v.RAID.Level, v.RAID.Name, v.RAID.State)
	}
	depth := all[len(all)-1].depth + 1
	for i, d := range v.Devices {
		parts := there(d.Volume, d.Path, size(d.Size))
		if d.Missing {
			parts = []string{d.Volume, "missing"}
		}
		all = append(all, branch{depth, i == len(v.Devices)-1, parts, d.Missing})
	}
	return all
}

// Tree draws one volume from its mount down to its devices:
//
//	data  /srv/data  xfs
//	└─ luks  bootswain-data  aes-xts-plain64
//	   └─ raid0  /dev/md127  clean
//	      ├─ vol-0a11  /dev/nvme1n1  4 GiB
//	      └─ vol-0a22  missing
func Tree(v Volume) string {
	var b strings.Builder
	for _, line := range branches(v) {
		if line.depth > 0 {
			b.WriteString(strings.Repeat("   ", line.depth-1))
			b.WriteString(map[bool]string{true: "└─ ", false: "├─ "}[line.last])
		}
		b.WriteString(strings.Join(line.parts, "  ") + "\n")
	}
	return b.String()
}

// writeVolumes draws the same on the page, where a line may have to wrap.
func writeVolumes(b *strings.Builder, r Report) {
	if len(r.Volumes) == 0 {
		return
	}
	b.WriteString("<section><h2>Storage</h2>\n")
	for _, v := range r.Volumes {
		b.WriteString("<ul class=\"tree\">\n")
		for _, line := range branches(v) {
			fmt.Fprintf(b, "<li class=\"d%d%s\">", line.depth, map[bool]string{true: " lost"}[line.lost])
			for _, part := range line.parts {
				fmt.Fprintf(b, "<span>%s</span> ", html.EscapeString(part))
			}
			b.WriteString("</li>\n")
		}
		for _, on := range r.MySQL.on(v.Name) {
			fmt.Fprintf(b, "<li class=\"d1\"><span>%s</span> <span>%s</span></li>\n", html.EscapeString(on[0]), html.EscapeString(on[1]))
		}
		b.WriteString("</ul>\n")
	}
	b.WriteString("</section>\n")
}

// there leaves out what is empty.
func there(parts ...string) (list []string) {
	for _, p := range parts {
		if p != "" {
			list = append(list, p)
		}
	}
	return list
}

// size writes bytes in the largest unit that leaves at least 1.
func size(n int64) string {
	if n <= 0 {
		return ""
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") + " " + units[i]
}
