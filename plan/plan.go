// Package plan is what planning returns and applying carries out: an ordered
// list of steps, each of which says what it does and what it destroys.
//
// Planning decides and touches nothing; a Plan can be printed, compared and
// thrown away at no cost.
package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Device is a block device as people and the cloud know it.
type Device struct {
	Volume string `json:"volume"` // EBS volume id, "vol-0a1b…", or the serial of a disk of instance storage
	Path   string `json:"path"`   // kernel path, "/dev/nvme1n1"
	Size   int64  `json:"size"`   // bytes
}

// Step is one change of the machine.
type Step interface {
	// String says in one line, without secrets, what the step does and to
	// which volume ids.
	String() string
	// Destroys lists the devices whose present content the step ends. It is
	// empty for most steps; it never holds a device that is not proven blank,
	// released by its fingerprint, or our own unfinished work by UUID.
	Destroys() []Device
	// Apply carries the step out. It is safe to repeat after a crash at any
	// instruction.
	Apply(ctx context.Context) error
}

// Plan is an ordered list of steps. An empty Plan means that nothing is to be
// done.
type Plan []Step

// MarshalJSON gives for each step what String says of it, and what it destroys.
func (p Plan) MarshalJSON() ([]byte, error) {
	type step struct {
		Text     string   `json:"text"`
		Destroys []Device `json:"destroys"`
	}
	steps := []step{}
	for _, s := range p {
		steps = append(steps, step{s.String(), append([]Device{}, s.Destroys()...)})
	}
	return json.Marshal(steps)
}

// String prints one step a line, and under it what it destroys. Two plans that
// print alike do alike.
func (p Plan) String() string {
	if len(p) == 0 {
		return "nothing to do\n"
	}
	var b strings.Builder
	for i, s := range p {
		fmt.Fprintf(&b, "%2d. %s\n", i+1, s)
		for _, d := range s.Destroys() {
			fmt.Fprintf(&b, "    writes over: %s (%s, %d bytes)\n", d.Volume, d.Path, d.Size)
		}
	}
	return b.String()
}
