package launch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Notice is something that EC2 announces it will do to the instance.
type Notice struct {
	What string    // EC2's word: "terminate", "instance-retirement", "rebalance"
	Text string    // EC2's description; "" if it gives none
	At   time.Time // not before then; zero: not said
}

// Notices asks the IMDS what is announced: the interruption of a Spot instance,
// scheduled maintenance, and a rebalance recommendation. Nothing announced is no
// error; data from a file or a seed knows of nothing.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_scheduled_events.html
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html
func Notices(ctx context.Context, src Source) (all []Notice, err error) {
	if src.File+src.NoCloud != "" {
		return nil, nil
	}
	m, err := newMetadata(src)
	if err != nil {
		return nil, err
	}
	defer m.transport.CloseIdleConnections()
	for _, kind := range []struct {
		path  string
		parse func([]byte) ([]Notice, error)
	}{
		{"spot/instance-action", spotNotice}, {"events/maintenance/scheduled", maintenance}, {"events/recommendations/rebalance", rebalance},
	} {
		text, found, err := m.meta(ctx, kind.path)
		if err != nil {
			return nil, err
		}
		if !found || len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		notices, err := kind.parse(text)
		if err != nil {
			return nil, fmt.Errorf("cannot read what IMDS says of %s: %w", kind.path, err)
		}
		all = append(all, notices...)
	}
	return all, nil
}

func spotNotice(text []byte) ([]Notice, error) {
	var n struct {
		Action string    `json:"action"`
		Time   time.Time `json:"time"`
	}
	if err := json.Unmarshal(text, &n); err != nil {
		return nil, err
	}
	return []Notice{{What: n.Action, Text: "Spot interruption", At: n.Time}}, nil
}

// maxNotices bounds what is told; EC2 schedules one or two.
const maxNotices = 10

// maintenance takes the events that are not over.
func maintenance(text []byte) (all []Notice, err error) {
	var events []struct{ Code, Description, NotBefore, State string }
	if err := json.Unmarshal(text, &events); err != nil {
		return nil, err
	}
	for _, e := range events {
		if e.State == "completed" || e.State == "canceled" || len(all) == maxNotices {
			continue
		}
		at, _ := time.Parse("2 Jan 2006 15:04:05 MST", e.NotBefore) // zero: not said
		all = append(all, Notice{What: e.Code, Text: e.Description, At: at})
	}
	return all, nil
}

// rebalance is a recommendation; when it was made is all that it says.
func rebalance([]byte) ([]Notice, error) {
	return []Notice{{What: "rebalance", Text: "an interruption of this Spot instance is likelier than usual"}}, nil
}
