package volume

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bootswain/internal/corpus"
)

// elsewhere are the states that other tests bring about: which, and what the
// sentence says.
var elsewhere = map[string]struct{ test, says string }{
	"blank":             {"TestConformance/nothing is made where nobody asked for it", "hold no file system, and nobody said that one may be made"},
	"unreadable":        {"TestUnreadable", "cannot be read"},
	"in use":            {"TestPlanRefuses/in use", "is in use by"},
	"ours, whole":       {"TestConformance/first boot and reboots", "mounted on"},
	"ours, partial":     {"TestConformance/a ready set without one of its devices stays as it is", "1 of 2 volumes"},
	"ours, mixed":       {"TestConformance/a foreign device in a ready set is refused", "holds ext4"},
	"ours, cloned":      {"TestConformance/a volume and its copy are refused", "both say that they are device 1 of 2"},
	"ours, preparing":   {"TestConformance/a killed first boot is finished by the next", "mounted on"},
	"ours, lost":        {"TestConformance/a lost device is noticed, and comes back", "lost"},
	"ours, header gone": {"TestHeaderGone", "nothing written"},

	"plain, whole":                {"TestConformance/a plain volume is made, comes back, and goes down", "not encrypted"},
	"plain, every claim there":    {"TestPlainClaims/both", "mounted on"},
	"plain, some claims gone":     {"TestPlainClaims/one", "mounted on"},
	"plain, another's claim":      {"TestPlainClaims/another's", "it is unfinished, and was begun with other volumes; nothing written"},
	"encrypted, asked for plain":  {"TestPlainAndEncrypted", "holds an encrypted volume of this name"},
	"plain, asked for encrypted":  {"TestPlainAndEncrypted", "holds a volume of this name that is not encrypted"},
	"scratch of an earlier boot":  {"TestConformance/scratch is made anew by each boot and by nothing else", "mounted on"},
	"scratch, put to another use": {"TestConformance/instance storage with somebody's file system stays as it is", "holds ext4"},
	"scratch, too few disks":      {"TestScratchRefuses/too few", "this machine shows 2 of 3 disks of instance storage"},
	"grown, one device":           {"TestConformance/a volume grows with its device", "mounted on"},
	"grown, and cannot":           {"TestGrowFails", "up, but smaller than its device"},
	"grown, RAID0":                {"TestArrayDoesNotGrow", "which a RAID0 cannot use; to have more, make a set of larger volumes and copy"},
}

// TestStatesAreDocumented: docs/storage.md has a row for each state, and the
// sentence in it is the one that is tested.
func TestStatesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/storage.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if m := regexp.MustCompile("^\\| `?([^|`]+)`? \\|(.*)\\|$").FindStringSubmatch(line); m != nil {
			rows[strings.TrimSpace(m[1])] = m[2]
		}
	}
	check := func(name, says string) {
		switch row, there := rows[name]; {
		case !there:
			t.Errorf("docs/storage.md has no row for %q", name)
		case !strings.Contains(row, says):
			t.Errorf("docs/storage.md does not say of %q: %s", name, says)
		}
	}
	var names []string
	for _, c := range held {
		names = append(names, c.name)
		check(c.name, c.holds)
	}
	for _, c := range other {
		check(c.name, c.says)
	}
	for name, c := range elsewhere {
		check(name, c.says)
		check(name, c.test)
		of, isCase := strings.CutPrefix(c.test, "TestConformance/")
		if isCase && !slices.ContainsFunc(suite, func(c suiteCase) bool { return c.name == of }) {
			t.Errorf("there is no %s", c.test)
		}
	}
	if slices.Sort(names); !slices.Equal(names, corpus.Names()) {
		t.Errorf("corpus has %v\nand tested are %v", corpus.Names(), names)
	}
}
