package volume

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"bootswain/filesystem"
	"bootswain/internal/situation"
	"bootswain/luks"
)

// Held refuses to take a volume down that people use: processes that are no
// services of the system, which stop by themselves when their mount goes. It
// changes nothing. Of a volume that lost a device it says nothing, since that is
// taken down by force.
func Held(h *Host, volume string) error {
	w := newWork(h, volume, nil)
	all, err := luks.Mappings(h.EBS.Sys)
	if err != nil {
		return explain(volume, "see who uses it", err)
	}
	for _, m := range all {
		if m.Name != mappingName(volume) || w.lostUnder(m.Kernel) {
			continue
		}
		number, err := os.ReadFile(filepath.Join(h.EBS.Sys, "block", m.Kernel, "dev"))
		if err != nil {
			return explain(volume, "see who uses it", err)
		}
		if err := w.held(strings.TrimSpace(string(number)), true); err != nil {
			return explain(volume, "see who uses it", err)
		}
	}
	return nil
}

// mostNamed is how many processes a refusal names.
const mostNamed = 8

// held names the processes that use a file system, or only those that are no
// services; nil for none.
func (w *work) held(number string, people bool) error {
	users, err := filesystem.Users(w.host.Proc, number)
	if err != nil {
		return err
	}
	var names []string
	for _, u := range users {
		if !people || !u.Service {
			names = append(names, u.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	more := ""
	if n := len(names) - mostNamed; n > 0 {
		names, more = names[:mostNamed], fmt.Sprintf(" and %d more", n)
	}
	return &situation.Situation{Word: situation.Refused, Subject: w.name,
		Text: fmt.Sprintf("it is in use by %s%s; not taken down.", strings.Join(names, ", "), more),
		Next: "end them, or have them leave it, and then bootswain down " + w.name}
}
