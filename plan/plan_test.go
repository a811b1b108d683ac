package plan

import (
	"context"
	"encoding/json"
	"testing"
)

type fakeStep struct {
	text     string
	destroys []Device
}

func (s fakeStep) String() string            { return s.text }
func (s fakeStep) Destroys() []Device        { return s.destroys }
func (fakeStep) Apply(context.Context) error { return nil }

func TestPrints(t *testing.T) {
	disk := Device{Volume: "vol-0a11", Path: "/dev/nvme1n1", Size: 4 << 30}
	for _, c := range []struct {
		plan       Plan
		text, json string
	}{
		{nil, "nothing to do\n", "[]"},
		{Plan{fakeStep{"claim it", []Device{disk}}, fakeStep{"mount it", nil}},
			" 1. claim it\n    writes over: vol-0a11 (/dev/nvme1n1, 4294967296 bytes)\n 2. mount it\n",
			`[{"text":"claim it","destroys":[{"volume":"vol-0a11","path":"/dev/nvme1n1","size":4294967296}]},{"text":"mount it","destroys":[]}]`},
	} {
		if got := c.plan.String(); got != c.text {
			t.Errorf("it prints %q, want %q", got, c.text)
		}
		if got, err := json.Marshal(c.plan); err != nil || string(got) != c.json {
			t.Errorf("it encodes to %s, %v; want %s", got, err, c.json)
		}
	}
}
