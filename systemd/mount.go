package systemd

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/coreos/go-systemd/v22/unit"
)

// The units that everything generated here refers to.
const (
	HoldUnit      = "bootswain-hold.service"
	StorageTarget = "bootswain-storage.target"
)

// MountUnit is one mount as systemd is to carry it out.
type MountUnit struct {
	Description string   // "" means "bootswain: WHERE"
	What        string   // a device node, or for a bind mount a directory
	Where       string   // absolute path
	Type        string   // "xfs"; "none" for a bind mount
	Options     []string // mount options
	BindsTo     []string // units that this mount comes after and ends with
	Required    bool     // belongs to bootswain-storage.target
}

// MountName returns the name that systemd demands of the unit that mounts
// where: "srv-data.mount" for "/srv/data".
func MountName(where string) string {
	return unit.UnitNamePathEscape(path.Clean(where)) + ".mount"
}

// Name returns the unit's name.
func (m MountUnit) Name() string { return MountName(m.Where) }

// String returns the unit file.
//
// There are no default dependencies, because with them the mount would be
// ordered before local-fs.target and the daemon after it: a cycle at shutdown.
// The mount comes after the hold and never after the daemon that starts it,
// which would wait for itself.
func (m MountUnit) String() string {
	description := m.Description
	if description == "" {
		description = "bootswain: " + m.Where
	}
	var target []string
	if m.Required {
		target = append(target, StorageTarget)
	}
	u := text{}
	u.section("Unit")
	u.set("Description", description)
	u.set("DefaultDependencies", "no")
	u.set("Conflicts", "umount.target")
	u.set("Before", append([]string{"umount.target"}, target...)...)
	// Said here and not as Requires= of the target: that needs systemd to read
	// all units anew, which takes seconds on a small machine at boot.
	u.set("PropagatesStopTo", target...)
	u.set("Wants", HoldUnit)
	u.set("After", append([]string{HoldUnit}, m.BindsTo...)...)
	u.set("BindsTo", m.BindsTo...)
	u.section("Mount")
	u.set("What", m.What)
	u.set("Where", m.Where)
	u.set("Type", m.Type)
	if len(m.Options) > 0 {
		u.set("Options", strings.Join(m.Options, ","))
	}
	// Replaying a journal, or writing back what is dirty, may take a minute;
	// ending mount or umount in the middle helps nobody.
	u.set("TimeoutSec", "5min")
	return u.String()
}

// listenDropIn returns a drop-in that gives a socket unit one other address.
func listenDropIn(address string) string {
	if address == "" {
		return ""
	}
	u := text{}
	u.section("Socket")
	u.add("ListenStream", "") // an empty value drops the addresses set before
	u.set("ListenStream", address)
	return u.String()
}

// credentialDropIn returns a drop-in that gives a service the file at path.
func credentialDropIn(path string) string {
	if path == "" {
		return ""
	}
	u := text{}
	u.section("Service")
	u.set("LoadCredential", filepath.Base(path)+":"+path)
	return u.String()
}

// text is a unit file in the making.
type text struct{ strings.Builder }

func (t *text) section(name string) {
	if t.Len() > 0 {
		t.WriteString("\n")
	} else {
		t.WriteString("# Written by bootswain; gone with the next boot.\n")
	}
	t.WriteString("[" + name + "]\n")
}

// set adds a line unless there is no value.
func (t *text) set(key string, values ...string) {
	if v := strings.Join(values, " "); v != "" {
		t.add(key, v)
	}
}

// add adds a line. A percent sign would start a specifier.
func (t *text) add(key, value string) {
	t.WriteString(key + "=" + strings.ReplaceAll(value, "%", "%%") + "\n")
}

// check finds what a unit file cannot say: a value with a line break, or one
// that systemd would join to the next line or trim.
func (m MountUnit) check() error {
	for _, v := range append([]string{m.Description, m.What, m.Where, m.Type}, m.Options...) {
		if strings.ContainsFunc(v, unicode.IsControl) || strings.HasSuffix(v, `\`) || strings.TrimSpace(v) != v {
			return fmt.Errorf("cannot mount %s: %q cannot stand in a unit file", m.Where, v)
		}
	}
	return nil
}
