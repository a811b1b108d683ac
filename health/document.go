package health

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// apiVersion is the version of the answers, apart from bootswain's own.
const apiVersion = "1"

// doc is the top object of draft-inadarei-api-health-check-06, section 3, without
// its checks, which follow. The status stands first.
type doc struct {
	Status    Status `json:"status"`
	Version   string `json:"version"`
	ReleaseID string `json:"releaseId,omitempty"`
	ServiceID string `json:"serviceId,omitempty"`
	Output    string `json:"output,omitempty"`
}

// docCheck is one of the draft's checks objects, section 4; "since" and "next"
// are ours.
type docCheck struct {
	Status        Status    `json:"status"`
	ComponentType string    `json:"componentType"`
	ObservedValue *float64  `json:"observedValue,omitempty"`
	ObservedUnit  string    `json:"observedUnit,omitempty"`
	Time          time.Time `json:"time"`
	Since         time.Time `json:"since,omitzero"`
	Output        string    `json:"output,omitempty"` // not for pass, as the draft wants it
	Next          string    `json:"next,omitempty"`
}

// document is the answer of /health: a check on each line, by name. There is one
// check at least.
func document(r Report, checks []Check) []byte {
	head, err := json.MarshalIndent(doc{
		Status: Worst(checks), Version: apiVersion, ReleaseID: r.Release, ServiceID: r.Instance,
		Output: strings.TrimSpace(Sentences(notable(checks))),
	}, "", "  ")
	if err != nil {
		return unable
	}
	sorted := make([]*Check, len(checks))
	for i := range checks {
		sorted[i] = &checks[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Check) int { return cmp.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	b.Grow(len(head) + 256*len(checks))
	b.Write(bytes.TrimSuffix(head, []byte("\n}")))
	b.WriteString(",\n  \"checks\": {")
	one := json.NewEncoder(&b)
	write := func(v any) error {
		err := one.Encode(v)
		b.Truncate(b.Len() - len("\n"))
		return err
	}
	for i, c := range sorted {
		switch {
		case i > 0 && c.Name == sorted[i-1].Name:
			b.WriteString(", ")
		case i > 0:
			b.WriteString("],")
			fallthrough
		default:
			b.WriteString("\n    ")
			err = write(c.Name)
			b.WriteString(": [")
		}
		if err = errors.Join(err, write(checkOf(*c))); err != nil {
			return unable
		}
	}
	b.WriteString("]\n  }\n}\n")
	return b.Bytes()
}

// unable is the answer where a measurement is no number.
var unable = []byte(`{"status":"fail","output":"cannot answer"}` + "\n")

func checkOf(c Check) docCheck {
	d := docCheck{
		Status: c.Status, ComponentType: "system", ObservedValue: c.Value, ObservedUnit: c.Unit,
		Time: c.Time, Since: c.Since,
	}
	if kind, _, _ := strings.Cut(c.Name, ":"); kind == "mysql" {
		d.ComponentType = "datastore"
	}
	if c.Status != Pass {
		d.Output, d.Next = c.Sentence.Situation().Error(), c.Sentence.Next
	}
	return d
}
