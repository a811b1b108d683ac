package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"bootswain/lab"
)

// TestCuts cuts the power at three moments of first boots. Each boot has a set
// of its own to make, beside those that earlier boots were cut in; at the end
// all of them have converged without help. What was not flushed is lost or
// kept as the seed says.
func TestCuts(t *testing.T) {
	b := open(t)
	const cuts = 3
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	b.step("seed %d", seed)
	var (
		m       *lab.Machine
		stanzas string
	)
	for i := range cuts {
		set := b.volumes(2, 160<<20)
		stanzas += b.stanza(fmt.Sprintf("set%d", i), fmt.Sprintf("/srv/set%d", i), set...)
		if m == nil {
			m = b.start(lab.MachineOptions{
				PublicKeys: []string{b.owner.line}, UserData: b.document(stanzas, ""), Volumes: set,
				Append: noDatabase,
			})
		} else {
			m.IMDS.Set("user-data", string(b.document(stanzas, "")))
			for _, v := range set {
				must(b, m.Attach(b.ctx, v))
			}
			must(b, m.PowerOn(b.ctx))
		}
		// From the first write to a blank set to its mount takes some seconds
		// of guest time; the cut falls somewhere in there.
		_, err := m.WaitConsole(b.ctx, fmt.Sprintf(`set%d: read every byte`, i))
		must(b, err)
		wait := time.Duration(random.Int64N(int64(8 * time.Second)))
		until := b.uptime(m) + wait
		for b.uptime(m) < until {
		}
		lost, err := m.Cut(lab.CutOptions{LoseUnflushed: true, Seed: seed + uint64(i)})
		must(b, err)
		b.step("cut %d, %s after the set was found blank: %v", i+1, wait.Round(time.Millisecond), lost)
	}
	must(b, m.PowerOn(b.ctx))
	b.ready(m)
	for i := range cuts {
		b.sh(m, fmt.Sprintf("findmnt -n /srv/set%d && touch /srv/set%d/written", i, i))
	}
	if arrays := b.sh(m, "ls -d /sys/block/md*"); strings.Count(arrays, "\n")+1 != cuts {
		b.Errorf("%d sets, but these arrays: %s", cuts, arrays)
	}
	b.cleanBoot(m)
	b.step("%d cuts, %d sets converged", cuts, cuts)
}
