package health

import (
	"encoding/json"
	"strings"
	"time"
)

// apiVersion is the version of the answers, apart from bootswain's own.
const apiVersion = "1"

// doc is the top object of draft-inadarei-api-health-check-06, section 3. The
// status stands first.
type doc struct {
	Status    Status                `json:"status"`
	Version   string                `json:"version"`
	ReleaseID string                `json:"releaseId,omitempty"`
	ServiceID string                `json:"serviceId,omitempty"`
	Output    string                `json:"output,omitempty"`
	Checks    map[string][]docCheck `json:"checks"`
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

// document is the answer of /health.
func document(r Report, checks []Check) []byte {
	b, err := json.MarshalIndent(documentOf(r, checks), "", "  ")
	if err != nil { // a measurement that is no number
		return []byte(`{"status":"fail","output":"cannot answer"}` + "\n")
	}
	return append(b, '\n')
}

func documentOf(r Report, checks []Check) doc {
	d := doc{
		Status: Worst(checks), Version: apiVersion, ReleaseID: r.Release, ServiceID: r.Instance,
		Output: strings.TrimSpace(Sentences(notable(checks))), Checks: map[string][]docCheck{},
	}
	for _, c := range checks {
		dc := docCheck{
			Status: c.Status, ComponentType: "system", ObservedValue: c.Value, ObservedUnit: c.Unit,
			Time: c.Time, Since: c.Since,
		}
		if kind, _, _ := strings.Cut(c.Name, ":"); kind == "mysql" {
			dc.ComponentType = "datastore"
		}
		if c.Status != Pass {
			dc.Output, dc.Next = c.Sentence.Situation().Error(), c.Sentence.Next
		}
		d.Checks[c.Name] = append(d.Checks[c.Name], dc)
	}
	return d
}
