package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"bootswain/health"
	"bootswain/internal/situation"
	"bootswain/launch"
	"bootswain/plan"
	"bootswain/spec"
	"bootswain/volume"
)

// ApplyOptions say what apply and plan are about.
type ApplyOptions struct {
	Name string   // one volume; "" means all
	From string   // a file with a document instead of the launch data
	Wipe []string // "VOLUME:FINGERPRINT" of content that may be discarded
	JSON bool     // plan prints for programs
}

// Apply makes the machine what the launch data asks for, people first. Every
// volume is tried; what went wrong is joined.
func (a *Agent) Apply(ctx context.Context, o ApplyOptions) error {
	a.lockMemory()
	asked, wanted, err := a.wanted(ctx, o)
	if err != nil {
		return err
	}
	if o.From != "" {
		a.sayUnchanged(asked)
		// The daemon follows this file, and so keeps what is applied here.
		if err := asked.data.Save(launchFile); err != nil {
			return err
		}
	}
	var all []error
	if o.Name == "" {
		all = append(all, a.admit(ctx, asked), publishEnv(envFile, asked))
	}
	// At the same time: a volume whose device does not answer holds up no other. But
	// some of the database's files may be on others than its own.
	results := make([]error, len(wanted))
	for _, database := range []bool{false, true} {
		var wait sync.WaitGroup
		for i, want := range wanted {
			if mysql := asked.databaseOn(want.Name); (mysql != nil) == database {
				wait.Go(func() { results[i] = a.applyVolume(ctx, asked, want, mysql) })
			}
		}
		wait.Wait()
	}
	return errors.Join(append(all, results...)...)
}

// applyVolume brings one volume up, in turn with the daemon.
func (a *Agent) applyVolume(ctx context.Context, asked orders, want spec.Volume, mysql *spec.MySQL) error {
	release, err := a.volumeLock(want.Name).take(ctx, func(holder string) { a.say("waiting for %s", holder) })
	if err != nil {
		return err
	}
	defer release()
	if err := unmarkDown(want.Name); err != nil {
		return err
	}
	chosen, err := a.chooseForPerson(ctx, asked, want)
	if err != nil {
		return err
	}
	state, err := a.bringUp(ctx, chosen.said(nil), mysql, a.showProgress)
	if err != nil {
		return named(err, want.Name)
	}
	if worn := state.Worn(); worn != nil {
		a.say("%s", worn)
		return nil
	}
	a.say("READY %s: %s", want.Name, mounted(want))
	return nil
}

// chooseForPerson chooses in turn with the daemon, and attaches what is chosen.
func (a *Agent) chooseForPerson(ctx context.Context, asked orders, want spec.Volume) (choice, error) {
	release, err := a.ec2Lock(want.Name).take(ctx, nil)
	if err != nil {
		return choice{}, err
	}
	defer release()
	return a.choose(ctx, a.cloud(ctx, asked.data), want, true)
}

// Plan prints what Apply would do next to the volumes, and does nothing.
func (a *Agent) Plan(ctx context.Context, o ApplyOptions) error {
	asked, wanted, err := a.wanted(ctx, o)
	if err != nil {
		return err
	}
	planned := []plannedVolume{}
	var all []error
	for _, want := range wanted {
		p, err := a.plan(ctx, asked, want)
		all = append(all, err)
		planned = append(planned, p)
	}
	if o.JSON {
		e := json.NewEncoder(a.out)
		e.SetIndent("", "  ")
		return errors.Join(append(all, e.Encode(map[string]any{"volumes": planned}))...)
	}
	for _, p := range planned {
		if p.Situation == nil {
			a.say("%s:\n%s", p.Name, strings.TrimRight(p.Steps.String(), "\n"))
		}
	}
	return errors.Join(all...)
}

// plannedVolume is what would be done to a volume, or why nothing can be.
type plannedVolume struct {
	Name      string           `json:"name"`
	Steps     plan.Plan        `json:"steps"`
	Situation *health.Sentence `json:"situation,omitempty"`
}

// plan looks at a volume. The error is what stands in the way, once more.
func (a *Agent) plan(ctx context.Context, asked orders, want spec.Volume) (plannedVolume, error) {
	p := plannedVolume{Name: want.Name}
	chosen, err := a.choose(ctx, a.cloud(ctx, asked.data), want, false)
	if err == nil {
		host := *a.storage
		host.Absent = chosen.said(nil).absent
		var state volume.State
		if state, err = volume.Observe(ctx, &host, chosen.want); err == nil {
			p.Steps, err = volume.Plan(chosen.want, state)
		}
	}
	if err == nil {
		return p, nil
	}
	sentence := health.Sentence{Word: situation.Failed, Subject: want.Name, Text: err.Error()}
	if s := situation.Of(err); s != nil {
		sentence = health.SentenceOf(s)
	}
	p.Situation = &sentence
	return p, named(err, want.Name)
}

// wanted returns the orders and the volumes that o is about.
func (a *Agent) wanted(ctx context.Context, o ApplyOptions) (orders, []spec.Volume, error) {
	asked, err := a.orders(ctx, o.From)
	if err != nil {
		return orders{}, nil, err
	}
	if asked.trouble != nil {
		return orders{}, nil, asked.trouble
	}
	volumes := asked.spec.Volumes
	if o.Name != "" {
		want, err := asked.volume(o.Name)
		if err != nil {
			return orders{}, nil, err
		}
		volumes = []spec.Volume{want}
	}
	return asked, volumes, released(volumes, o)
}

// orders reads the launch data, or the file that takes its place.
func (a *Agent) orders(ctx context.Context, from string) (orders, error) {
	if from == "" {
		data, err := a.launchData(ctx, notTooLong, func(error) {})
		if err != nil {
			return orders{}, unreachable(err)
		}
		return a.understand(ctx, data), nil
	}
	doc, err := os.ReadFile(from)
	if err != nil {
		return orders{}, fmt.Errorf("cannot read the document: %w", err)
	}
	// Whose instance this is, and its key pair, stay as they are.
	data, err := a.launchData(ctx, notTooLong, func(error) {})
	if err != nil {
		data = launch.Data{}
	}
	data.UserData, data.Given, data.Included = doc, true, nil
	return complete(ctx, data), nil
}

// volume returns the stanza of a name.
func (o orders) volume(name string) (spec.Volume, error) {
	for _, v := range o.spec.Volumes {
		if v.Name == name {
			return v, nil
		}
	}
	return spec.Volume{}, fmt.Errorf("the launch data names no volume %q", name)
}

// databaseOn returns what is asked of the database if it belongs on the volume,
// or nil.
func (o orders) databaseOn(volume string) *spec.MySQL {
	if o.spec.MySQL == nil || o.spec.MySQL.Volume != volume {
		return nil
	}
	return o.spec.MySQL
}

// released adds what a person released on the command line to the volumes.
func released(volumes []spec.Volume, o ApplyOptions) error {
	if len(o.Wipe) > 0 && o.Name == "" {
		return errors.New("--wipe needs the NAME of the volume")
	}
	for _, w := range o.Wipe {
		id, found, ok := strings.Cut(w, ":")
		if !ok {
			return fmt.Errorf("--wipe %s: not VOLUME:FINGERPRINT, as the refusal printed it", w)
		}
		volumes[0].Wipe = append(volumes[0].Wipe, spec.Wipe{Volume: id, Found: found})
	}
	return nil
}

// named gives an error that is no sentence the volume's name.
func named(err error, name string) error {
	if situation.Of(err) != nil {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}
