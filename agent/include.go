package agent

import (
	"context"
	"time"

	"bootswain/internal/cloud"
	"bootswain/internal/reference"
	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/spec"
)

// understand gives launch data its meaning, with what it includes. That is read
// once a boot, and kept with the launch data for the other processes.
func (a *Agent) understand(ctx context.Context, data launch.Data) orders {
	o := complete(ctx, data)
	if o.data.Included != nil && data.Included == nil {
		if err := o.data.Save(launchFile); err != nil {
			a.say("launch data: %v", err) // who comes next reads it again
		}
	}
	return o
}

// complete gives launch data its meaning, with what it includes.
func complete(ctx context.Context, data launch.Data) orders {
	where := included(data)
	if where == "" || data.Included != nil {
		return read(data)
	}
	account, err := cloud.Open(ctx, data.Region)
	if err == nil {
		data.Included, err = fetchIncluded(ctx, account, where)
	}
	o := read(data)
	if err != nil && o.err == nil {
		o.trouble = apart(where, err)
	}
	return o
}

// included returns the address of what launch data includes, or "".
func included(data launch.Data) string {
	doc, err := launch.Unwrap(data.UserData)
	if !data.Given || err != nil {
		return ""
	}
	_, where := spec.Below(doc)
	return where
}

// fetchIncluded never returns nil without an error.
func fetchIncluded(ctx context.Context, account *cloud.Account, where string) ([]byte, error) {
	d, err := reference.Get(ctx, account, where)
	if err != nil {
		return nil, err
	}
	return append([]byte{}, d.Data...), nil
}

// untilWhole has launch data understood, and again and again while a part of it
// has yet to be read. follow gets what is news; once the launch data is replaced
// there is none.
func untilWhole(ctx context.Context, understand func() orders, replaced func() bool, follow func(orders)) {
	for said := ""; ; {
		o := understand()
		if !o.waits() || o.trouble.String() != said {
			follow(o)
		}
		if !o.waits() {
			return
		}
		said = o.trouble.String()
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryEvery):
		}
		if replaced() {
			return
		}
	}
}

// waits tells whether a part of the launch data has yet to be read.
func (o orders) waits() bool { return o.trouble != nil && o.trouble.Word == situation.Waiting }
